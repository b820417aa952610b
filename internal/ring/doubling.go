package ring

import "math/bits"

// Rounds of recursive doubling: 1 to 15 are the exchanges at distance 1, 2, 4, ...
const (
	foldRound   = 0
	unfoldRound = 16
)

// double sums by recursive doubling (Thakur, Rabenseifner, Gropp: Optimization of
// Collective Communication Operations in MPICH, 2005). Of a world of p+e members, p a
// power of two, the last e hand their vectors to the first e and get the result from
// them at the end. Both members of an exchange add the same two vectors, so they have
// the same bits, in float32 too.
func (r *Ring) double(b body, n int) error {
	s := span{0, n}
	p := 1 << (bits.Len(uint(r.cfg.World)) - 1)
	rank, extra := r.cfg.Rank, r.cfg.World-p
	if rank >= p {
		if err := r.send(rank-p, r.pack(rank-p, b, foldRound, s, true)); err != nil {
			return err
		}
		return r.take(rank-p, b, unfoldRound, s, false)
	}
	if rank < extra {
		if err := r.take(rank+p, b, foldRound, s, true); err != nil {
			return err
		}
	}
	for k := 0; 1<<k < p; k++ {
		if err := r.exchange(rank^1<<k, b, k+1, s); err != nil {
			return err
		}
	}
	if err := b.finish(s); err != nil || rank >= extra {
		return err
	}
	return r.send(rank+p, r.pack(rank+p, b, unfoldRound, s, false))
}

// exchange adds a peer's vector to this one's and lets it do the same.
func (r *Ring) exchange(peer int, b body, round int, s span) error {
	f := r.pack(peer, b, round, s, true)
	return r.beside(f.Len(), func() error { return r.send(peer, f) }, func() error {
		return r.take(peer, b, round, s, true)
	})
}
