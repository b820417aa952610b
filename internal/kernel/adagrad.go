package kernel

import "unsafe"

// Adagrad are the hyper-parameters of Adagrad (Duchi, Hazan and Singer 2011), rounded to float32 when a step begins.
type Adagrad struct {
	LearningRate, Epsilon float64
	WeightDecay           float64 // L2
}

// StepAdagrad updates weights w by the gradient g. acc is the state; it starts at the initial accumulator value.
//
//	d := fma(weightDecay, w[i], g[i])
//	acc[i] = fma(d, d, acc[i])
//	w[i] = fma(-learningRate, d / (sqrt(acc[i]) + epsilon), w[i])
func StepAdagrad(w, acc, g []float32, h *Adagrad) {
	lr, epsilon, decay := float32(h.LearningRate), float32(h.Epsilon), float32(h.WeightDecay)
	acc, g = upTo(acc, len(w)), upTo(g, len(w))
	if useAVX2 {
		f := newFactors(lr, decay, epsilon)
		adagradAVX2(unsafe.SliceData(w), unsafe.SliceData(acc), unsafe.SliceData(g), &f[0][0], len(w))
		return
	}
	for i := range w {
		d := fma(decay, w[i], g[i])
		acc[i] = fma(d, d, acc[i])
		w[i] = fma(-lr, d/(sqrt(acc[i])+epsilon), w[i])
	}
}
