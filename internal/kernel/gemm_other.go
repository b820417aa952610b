//go:build !amd64 || noasm

package kernel

// tiles computes the product without cutting k.
func (p *product) tiles() { p.tilesGo() }
