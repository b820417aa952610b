package ring

import "fmt"

// Algorithm is a way to sum a vector across the members. Exact sums have the same bits
// with all of them.
type Algorithm int

const (
	// Auto chooses by the number of values and members.
	Auto Algorithm = iota
	// Alone is what a world of one member does.
	Alone
	// Direct sends every vector from everyone to everyone: one exchange.
	Direct
	// Doubling exchanges sums with members at distances 1, 2, 4, ...
	Doubling
	// Around is the ring, in segments.
	Around
)

var algorithmNames = [...]string{Auto: "auto", Alone: "alone", Direct: "direct", Doubling: "doubling", Around: "ring"}

// String returns the algorithm's name.
func (a Algorithm) String() string { return algorithmNames[a] }

// ParseAlgorithm returns the algorithm of a name: auto, direct, doubling or ring.
func ParseAlgorithm(name string) (Algorithm, error) {
	for _, a := range []Algorithm{Auto, Direct, Doubling, Around} {
		if a.String() == name {
			return a, nil
		}
	}
	return 0, fmt.Errorf("algorithm %q: want auto, direct, doubling or ring", name)
}

// Chosen returns the algorithm that sums vectors of n values, exactly or as float32.
func (r *Ring) Chosen(n int, exact bool) Algorithm { return r.choose(n, !exact) }

// directTraffic bounds the values that a member receives in a direct exchange. Above it
// the bytes cost more than the rounds that Doubling needs.
const directTraffic = 16384

// choose returns the algorithm for n values. Sums that depend on their order are not
// exchanged directly: everyone adds in an order of its own there.
func (r *Ring) choose(n int, ordered bool) Algorithm {
	w := r.cfg.World
	switch {
	case w == 1:
		return Alone
	case r.cfg.Algorithm == Around || n > r.cfg.shortest() || n == 0:
		return Around
	case r.cfg.Algorithm == Doubling || ordered:
		return Doubling
	case r.cfg.Algorithm == Direct || n*(w-1) <= directTraffic:
		return Direct
	}
	return Doubling
}
