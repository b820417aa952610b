package kernel

import "unsafe"

// SGD are the hyper-parameters of stochastic gradient descent. They are rounded to float32 when a step begins.
type SGD struct {
	LearningRate float64
	Momentum     float64
	Nesterov     bool    // look ahead along the velocity; needs Momentum
	WeightDecay  float64 // L2
}

// StepSGD updates weights w by the gradient g. velocity is the state, starting at 0; without Momentum it is not used.
//
//	d := fma(weightDecay, w[i], g[i])
//	velocity[i] = fma(momentum, velocity[i], d)   // with Momentum
//	d = velocity[i]                               //
//	d = fma(momentum, velocity[i], d)             // with Nesterov, instead of the line before
//	w[i] = fma(-learningRate, d, w[i])
func StepSGD(w, velocity, g []float32, h *SGD) {
	lr, mu, decay := float32(h.LearningRate), float32(h.Momentum), float32(h.WeightDecay)
	g = upTo(g, len(w))
	if h.Momentum != 0 {
		velocity = upTo(velocity, len(w))
	}
	if useAVX2 {
		stepSGDAVX2(w, velocity, g, h, newFactors(lr, decay, mu))
		return
	}
	for i, v := range g {
		d := fma(decay, w[i], v)
		switch {
		case h.Momentum == 0:
		case h.Nesterov:
			velocity[i] = fma(mu, velocity[i], d)
			d = fma(mu, velocity[i], d)
		default:
			velocity[i] = fma(mu, velocity[i], d)
			d = velocity[i]
		}
		w[i] = fma(-lr, d, w[i])
	}
}

func stepSGDAVX2(w, velocity, g []float32, h *SGD, f factors) {
	pw, pv, pg, pf := unsafe.SliceData(w), unsafe.SliceData(velocity), unsafe.SliceData(g), &f[0][0]
	switch {
	case h.Momentum == 0:
		sgdAVX2(pw, pg, pf, len(w))
	case h.Nesterov:
		nesterovAVX2(pw, pv, pg, pf, len(w))
	default:
		momentumAVX2(pw, pv, pg, pf, len(w))
	}
}

// factors are the numbers of an update, each as often as a vector has lanes.
type factors [9][8]float32

func newFactors(f ...float32) (v factors) {
	for i, x := range f {
		v[i] = [8]float32{x, x, x, x, x, x, x, x}
	}
	return v
}
