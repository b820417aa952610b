package model

import "lockstep/internal/kernel"

// elementwise runs a loss that is a mean over the elements of each place.
func (u *lossUnit) elementwise(grad, y []float32, stats []float64) {
	each := u.each[:len(y)]
	u.perElement(each, grad, y)
	scale := 1 / float32(u.width)
	for p := range len(y) / u.width {
		g, l := grad[p*u.width:(p+1)*u.width], each[p*u.width:(p+1)*u.width]
		if u.skip[p] {
			clear(g)
			continue
		}
		sum := 0.0
		for i, v := range l {
			sum += float64(v)
			g[i] *= scale
		}
		stats[0] += sum / float64(u.width)
		stats[1]++
	}
}

// perElement sets each to the losses of single elements and grad to their derivatives.
func (u *lossUnit) perElement(each, grad, y []float32) {
	switch t := u.y; u.kind {
	case "mse":
		for i, v := range y {
			e := v - t[i]
			each[i], grad[i] = e*e, 2*e
		}
	case "mae":
		for i, v := range y {
			e := v - t[i]
			each[i], grad[i] = max(e, -e), sign(e)
		}
	case "huber":
		huber(each, grad, y, t, u.delta)
	case "hinge":
		for i, v := range y {
			each[i], grad[i] = 1-float32(t[i]*v), -t[i]
			if each[i] <= 0 {
				each[i], grad[i] = 0, 0
			}
		}
	case "binary_cross_entropy":
		if u.logits {
			binaryFromLogits(each, grad, y, t)
		} else {
			u.binaryFromProbabilities(each, grad, y)
		}
	}
}

// huber: e^2/2 for |e| <= delta, else delta*(|e| - delta/2).
func huber(each, grad, y, t []float32, delta float32) {
	for i, v := range y {
		e := v - t[i]
		if a := max(e, -e); a <= delta {
			each[i], grad[i] = e*e/2, e
		} else {
			each[i], grad[i] = delta*(a-delta/2), delta*sign(e)
		}
	}
}

func sign(v float32) float32 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

// binaryFromLogits: max(x,0) - x*t + log(1+exp(-|x|)), safe for every x; the derivative is sigmoid(x) - t.
func binaryFromLogits(each, grad, y, t []float32) {
	for i, x := range y {
		each[i] = min(x, -x)
	}
	kernel.Softplus(each, each)
	kernel.Sigmoid(grad, y)
	for i, x := range y {
		each[i] += max(x, 0) - float32(x*t[i])
		grad[i] -= t[i]
	}
}

// leastLog is the smallest logarithm of a probability that a loss reckons with, leastProduct the smallest p*(1-p):
// PyTorch's limits.
const (
	leastLog     = -100
	leastProduct = 1e-12
)

// binaryFromProbabilities: -(t*log p + (1-t)*log(1-p)), each logarithm at least leastLog.
func (u *lossUnit) binaryFromProbabilities(each, grad, y []float32) {
	t := u.y
	kernel.Log(each, y)
	for i, p := range y {
		grad[i] = 1 - p
	}
	kernel.Log(grad, grad)
	for i, p := range y {
		a, b := max(each[i], leastLog), max(grad[i], leastLog)
		each[i] = -(float32(t[i]*a) + float32((1-t[i])*b))
		grad[i] = (p - t[i]) / max(p*(1-p), leastProduct)
	}
}
