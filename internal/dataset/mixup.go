package dataset

import (
	"sync"

	"lockstep/internal/rng"
)

// mixup mixes each record with another one of the training split (Zhang et al., "mixup: Beyond Empirical Risk Minimization",
// 2018): x = l*x + (1-l)*x' for inputs and targets, with l drawn from Beta(alpha, alpha).
type mixup struct {
	alpha float64
	place uint64 // in the list of augmentations
	mu    sync.Mutex
	free  []*mixing // that nobody uses now; under mu
}

// mixing is what mixing a batch takes.
type mixing struct {
	partners []int
	shares   []float32 // of the record itself
	other    Batch     // the partners
}

func newMixup(alpha float64, place int) *mixup {
	return &mixup{alpha: alpha, place: uint64(place)}
}

// take returns memory for one batch, which goes back with give.
func (m *mixup) take() *mixing {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.free)
	if n == 0 {
		return new(mixing)
	}
	w := m.free[n-1]
	m.free = m.free[:n-1]
	return w
}

func (m *mixup) give(w *mixing) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free = append(m.free, w)
}

// partner is the record that record r of n is mixed with in an epoch, and the share of r itself.
func (m *mixup) partner(seed uint64, epoch, r, n int) (int, float32) {
	s := rng.New(seed, rng.Augment, uint64(epoch), uint64(r), m.place)
	p := s.IntN(n)
	return p, float32(beta(&s, m.alpha))
}

// mix reads the partners of the records in dst, which are augmented, and mixes the inputs.
func (s *Split) mix(dst *Batch, w *mixing, records []int, epoch int) error {
	w.partners, w.shares = w.partners[:0], w.shares[:0]
	for _, r := range records {
		p, share := s.augment.mixup.partner(s.augment.seed, epoch, r, s.Len())
		w.partners, w.shares = append(w.partners, p), append(w.shares, share)
	}
	if err := s.readInputs(&w.other, w.partners); err != nil {
		return err
	}
	s.augmentInputs(&w.other, w.partners, epoch)
	s.readTargets(&w.other, w.partners)
	blend(dst.X, w.other.X, w.shares)
	return nil
}

// mixTargets mixes the targets: numbers as they are; of two labels the larger part's comes first.
func (s *Split) mixTargets(dst *Batch, w *mixing) {
	if s.part.targets.labels == nil {
		if s.part.targets.width > 0 { // otherwise the mixed record is its own target
			blend(dst.Y, w.other.Y, w.shares)
		}
		return
	}
	dst.Others, dst.Shares = append(dst.Others[:0], w.other.Labels...), append(dst.Shares[:0], w.shares...)
	for i, share := range dst.Shares {
		if share < 0.5 {
			dst.Labels[i], dst.Others[i], dst.Shares[i] = dst.Others[i], dst.Labels[i], 1-share
		}
	}
}

// blend: x[i,j] = share[i]*x[i,j] + (1-share[i])*y[i,j].
func blend(x, y, shares []float32) {
	n := len(x) / len(shares)
	for i, share := range shares {
		a, b := float64(share), float64(1-share)
		for j := i * n; j < (i+1)*n; j++ {
			x[j] = float32(float64(a*float64(x[j])) + float64(b*float64(y[j])))
		}
	}
}
