package spec

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// A gathering collects the pairs of a map and of what it merges in with the key <<. Its own keys come first, so that
// they win over merged ones.
type gathering struct {
	d     *document
	pairs []pair
	taken map[string]bool
}

type pair struct {
	key, value *yaml.Node
	aliased    bool // an alias was followed to get here
}

// mapping converts a map.
func (d *document) mapping(n *yaml.Node, ptr string, depth int) map[string]any {
	g := gathering{d: d, taken: map[string]bool{}}
	g.add(n, depth, false)
	m := make(map[string]any, len(g.pairs))
	for _, p := range g.pairs {
		at := child(ptr, p.key.Value)
		d.places[at] = place{p.key, p.value}
		if p.aliased {
			d.following++
		}
		m[p.key.Value] = d.convert(p.value, at, depth+1)
		if p.aliased {
			d.following--
		}
	}
	return m
}

// add gathers the pairs of the map n, then of the maps it merges in.
func (g *gathering) add(n *yaml.Node, depth int, aliased bool) {
	own := map[string]int{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode:
			g.d.fault(k, "a key must be text", "")
		case k.ShortTag() == "!!merge":
			merged = append(merged, v)
		case own[k.Value] > 0:
			g.d.fault(k, fmt.Sprintf("%q is given twice", k.Value), fmt.Sprintf("it is already in line %d", own[k.Value]))
		case !g.taken[k.Value]:
			g.taken[k.Value] = true
			g.pairs = append(g.pairs, pair{k, v, aliased})
			own[k.Value] = k.Line
		default:
			own[k.Value] = k.Line
		}
	}
	for _, v := range merged {
		g.merge(v, depth+1, aliased)
	}
}

// merge gathers the pairs of v: a map, an alias of one, or a list of these.
func (g *gathering) merge(v *yaml.Node, depth int, aliased bool) {
	if depth > maxDepth {
		g.d.fault(v, fmt.Sprintf("nested more than %d levels deep", maxDepth), "")
		return
	}
	if aliased && !g.d.expand(v) {
		return
	}
	switch v.Kind {
	case yaml.AliasNode:
		g.merge(v.Alias, depth+1, true)
	case yaml.MappingNode:
		g.add(v, depth+1, aliased)
	case yaml.SequenceNode:
		for _, item := range v.Content {
			g.merge(item, depth+1, aliased)
		}
	default:
		g.d.fault(v, "<< wants a map or a list of maps", "")
	}
}
