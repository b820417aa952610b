package kernel

import "unsafe"

// RMSProp are the hyper-parameters of RMSProp (Hinton, Coursera lecture 6e, 2012). They are rounded to float32, as is
// 1 - Rho, when a step begins.
type RMSProp struct {
	LearningRate, Rho, Epsilon float64
	Momentum                   float64
	Centered                   bool
	WeightDecay                float64 // L2
}

// StepRMSProp updates weights w by the gradient g. square, average and velocity are the state, starting at 0; average is
// used with Centered only, velocity with Momentum only.
//
//	d := fma(weightDecay, w[i], g[i])
//	square[i] = fma(rho, square[i], ((1-rho) * d) * d)
//	s := square[i]
//	average[i] = fma(rho, average[i], (1-rho) * d)              // with Centered
//	s = max(fma(-average[i], average[i], s), 0)                 //
//	d = d / (sqrt(s) + epsilon)
//	velocity[i] = fma(momentum, velocity[i], d); d = velocity[i] // with Momentum
//	w[i] = fma(-learningRate, d, w[i])
func StepRMSProp(w, square, average, velocity, g []float32, h *RMSProp) {
	square, g = upTo(square, len(w)), upTo(g, len(w))
	if h.Centered {
		average = upTo(average, len(w))
	}
	if h.Momentum != 0 {
		velocity = upTo(velocity, len(w))
	}
	if useAVX2 {
		stepRMSPropAVX2(w, square, average, velocity, g, h)
	} else {
		stepRMSPropGo(w, square, average, velocity, g, h)
	}
}

func stepRMSPropGo(w, square, average, velocity, g []float32, h *RMSProp) {
	lr, rho, c, epsilon := float32(h.LearningRate), float32(h.Rho), float32(1-h.Rho), float32(h.Epsilon)
	mu, decay := float32(h.Momentum), float32(h.WeightDecay)
	for i := range w {
		d := fma(decay, w[i], g[i])
		square[i] = fma(rho, square[i], float32(c*d)*d)
		s := square[i]
		if h.Centered {
			average[i] = fma(rho, average[i], c*d)
			s = larger(0, fma(-average[i], average[i], s))
		}
		d /= sqrt(s) + epsilon
		if h.Momentum != 0 {
			velocity[i] = fma(mu, velocity[i], d)
			d = velocity[i]
		}
		w[i] = fma(-lr, d, w[i])
	}
}

func stepRMSPropAVX2(w, square, average, velocity, g []float32, h *RMSProp) {
	f := newFactors(float32(h.LearningRate), float32(h.WeightDecay), float32(h.Rho), float32(1-h.Rho), float32(h.Epsilon),
		float32(h.Momentum))
	n, pf := len(w), &f[0][0]
	pw, ps, pa, pv, pg := unsafe.SliceData(w), unsafe.SliceData(square), unsafe.SliceData(average),
		unsafe.SliceData(velocity), unsafe.SliceData(g)
	switch {
	case h.Centered && h.Momentum != 0:
		centeredMomentumAVX2(pw, ps, pg, pa, pv, pf, n)
	case h.Centered:
		centeredAVX2(pw, ps, pg, pa, pf, n)
	case h.Momentum != 0:
		rmspropMomentumAVX2(pw, ps, pg, pv, pf, n)
	default:
		rmspropAVX2(pw, ps, pg, pf, n)
	}
}
