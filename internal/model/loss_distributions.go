package model

import "lockstep/internal/kernel"

// leastProbability keeps logarithms and quotients of probabilities finite.
const leastProbability = 1e-37

// crossEntropy: -sum(t * log p) for each place, with log p = log_softmax(y) or log(y), and t the label's or the given
// distribution, smoothed: (1-e)*t + e/width. The label's distribution is 1 for it, or of a mixed record its share and that of
// the other one: the loss is linear in t, so this is the mix of two losses.
func (u *lossUnit) crossEntropy(grad, y []float32, b Batch, stats []float64) {
	w := u.width
	logp := u.each[:len(y)]
	if u.logits {
		kernel.LogSoftmax(logp, y, w)
		kernel.Exp(grad, logp)
	} else {
		logProbabilities(logp, y)
	}
	for p := range len(y) / w {
		g, row := grad[p*w:(p+1)*w], logp[p*w:(p+1)*w]
		switch {
		case u.skip[p]:
			clear(g)
			continue
		case u.target == asIndex && u.smooth == 0 && u.logits && len(b.Shares) == 0: // what the rest comes to for one class
			stats[0] -= float64(row[b.Labels[p]])
			g[b.Labels[p]]--
		default:
			t := u.distribution(p, b)
			stats[0] -= dot(t, row)
			if u.logits {
				total := sum(t) // 1, but for targets that are no distribution
				for j := range g {
					g[j] = float32(g[j]*total) - t[j]
				}
			} else {
				quotients(g, t, y[p*w:(p+1)*w])
			}
		}
		stats[1]++
	}
}

// distribution is the smoothed target of place p.
func (u *lossUnit) distribution(p int, b Batch) []float32 {
	w := u.width
	t, on, off := u.weights[:w], float32(1-u.smooth), float32(u.smooth/float64(w))
	if u.target != asIndex {
		for j, v := range u.y[p*w : (p+1)*w] {
			t[j] = float32(on*v) + off
		}
		return t
	}
	for j := range t {
		t[j] = off
	}
	if len(b.Shares) == 0 {
		t[b.Labels[p]] += on
		return t
	}
	t[b.Labels[p]] += float32(on * b.Shares[p])
	t[b.Others[p]] += float32(on * (1 - b.Shares[p]))
	return t
}

// klDivergence: sum(t * (log t - log y)) for each place.
func (u *lossUnit) klDivergence(grad, y []float32, stats []float64) {
	w := u.width
	logp, logt := u.each[:len(y)], grad
	logProbabilities(logp, y)
	logProbabilities(logt, u.y)
	for p := range len(y) / w {
		lo, hi := p*w, (p+1)*w
		if u.skip[p] {
			clear(grad[lo:hi])
			continue
		}
		stats[0] += dot(u.y[lo:hi], logt[lo:hi]) - dot(u.y[lo:hi], logp[lo:hi])
		stats[1]++
		quotients(grad[lo:hi], u.y[lo:hi], y[lo:hi])
	}
}

// logProbabilities: dst = log(max(p, leastProbability)).
func logProbabilities(dst, p []float32) {
	for i, v := range p {
		dst[i] = max(v, leastProbability)
	}
	kernel.Log(dst, dst)
}

// quotients: dst = -t/p, the derivative of -t*log p.
func quotients(dst, t, p []float32) {
	for i, v := range t {
		dst[i] = -v / max(p[i], leastProbability)
	}
}

// dot is the sum of a[i]*b[i] in float64, where a product of float32 is exact.
func dot(a, b []float32) float64 {
	s := 0.0
	for i, v := range a {
		s += float64(float64(v) * float64(b[i]))
	}
	return s
}

func sum(a []float32) float32 {
	s := 0.0
	for _, v := range a {
		s += float64(v)
	}
	return float32(s)
}
