package ring

// span is a range of values, from off to off+n.
type span struct{ off, n int }

// plan cuts a vector for the ring algorithm, seen from one member.
type plan struct {
	rank, world, n, segment int
}

// chunk returns chunk i, i taken modulo world.
func (p plan) chunk(i int) span {
	i = ((i % p.world) + p.world) % p.world
	a := p.n/p.world*i + min(i, p.n%p.world)
	b := p.n/p.world*(i+1) + min(i+1, p.n%p.world)
	return span{a, b - a}
}

// rounds returns the number of rounds of both phases.
func (p plan) rounds() int { return 2 * (p.world - 1) }

// lastSum is the round in which a member's own chunk becomes complete.
func (p plan) lastSum() int { return p.world - 2 }

// sent returns the chunk that goes out in a round. What comes in is what goes out in
// the next round.
func (p plan) sent(round int) span { return p.chunk(p.rank - round) }

// segments returns the number of frames that a chunk travels in.
func (p plan) segments(c span) int { return (c.n + p.segment - 1) / p.segment }

// cut returns segment i of a chunk.
func (p plan) cut(c span, i int) span {
	off := i * p.segment
	return span{c.off + off, min(p.segment, c.n-off)}
}
