package kernel

import (
	"math"
	"unsafe"
)

// Adam are the hyper-parameters of Adam, AdamW and AMSGrad (Kingma and Ba 2015; Loshchilov and Hutter 2019; Reddi,
// Kale and Kumar 2018). What follows from them is computed in double precision and rounded to float32 when a step begins.
type Adam struct {
	LearningRate, Beta1, Beta2, Epsilon float64
	WeightDecay                         float64
	Decoupled                           bool // weight decay is AdamW's, and not L2
}

// adamFactors are the numbers in StepAdam's loop.
type adamFactors struct {
	l2, decay, beta1, c1, beta2, c2, unbias, epsilon, step float32
}

func (h *Adam) factors(t int) adamFactors {
	f := adamFactors{
		beta1: float32(h.Beta1), c1: float32(1 - h.Beta1), beta2: float32(h.Beta2), c2: float32(1 - h.Beta2),
		unbias: float32(1 / (1 - power(h.Beta2, t))), epsilon: float32(h.Epsilon),
		step: float32(h.LearningRate / (1 - power(h.Beta1, t))),
	}
	if h.Decoupled {
		f.decay = float32(h.LearningRate * h.WeightDecay)
	} else {
		f.l2 = float32(h.WeightDecay)
	}
	return f
}

// power returns b^t by squaring: other than math.Pow, the same bits on every processor.
func power(b float64, t int) float64 {
	r := 1.0
	for ; t > 0; t >>= 1 {
		if t&1 == 1 {
			r = float64(r * b)
		}
		b = float64(b * b)
	}
	return r
}

// StepAdam updates weights w by the gradient g at step t = 1, 2, ... m, v and vMax are the state, starting at 0. vMax is
// nil except for AMSGrad.
//
//	d := fma(l2, w[i], g[i])                          // l2: WeightDecay, 0 if Decoupled
//	w[i] = fma(-decay, w[i], w[i])                    // decay: LearningRate*WeightDecay if Decoupled, or 0
//	m[i] = fma(beta1, m[i], (1-beta1) * d)
//	v[i] = fma(beta2, v[i], ((1-beta2) * d) * d)
//	s := v[i]
//	vMax[i] = max(vMax[i], v[i]); s = vMax[i]         // with vMax
//	s = sqrt(s * (1/(1-beta2^t))) + epsilon
//	w[i] = fma(-learningRate/(1-beta1^t), m[i]/s, w[i])
func StepAdam(w, m, v, vMax, g []float32, h *Adam, t int) {
	f := h.factors(t)
	m, v, g = upTo(m, len(w)), upTo(v, len(w)), upTo(g, len(w))
	if vMax != nil {
		vMax = upTo(vMax, len(w))
	}
	if useAVX2 {
		stepAdamAVX2(w, m, v, vMax, g, newFactors(f.l2, f.decay, f.beta1, f.c1, f.beta2, f.c2, f.unbias, f.epsilon, f.step))
		return
	}
	for i := range w {
		d := fma(f.l2, w[i], g[i])
		x := fma(-f.decay, w[i], w[i])
		m[i] = fma(f.beta1, m[i], f.c1*d)
		v[i] = fma(f.beta2, v[i], float32(f.c2*d)*d)
		s := v[i]
		if vMax != nil {
			s = larger(vMax[i], s)
			vMax[i] = s
		}
		w[i] = fma(-f.step, m[i]/(sqrt(s*f.unbias)+f.epsilon), x)
	}
}

func stepAdamAVX2(w, m, v, vMax, g []float32, f factors) {
	pw, pm, pv, pg := unsafe.SliceData(w), unsafe.SliceData(m), unsafe.SliceData(v), unsafe.SliceData(g)
	if vMax == nil {
		adamAVX2(pw, pm, pv, pg, &f[0][0], len(w))
	} else {
		amsgradAVX2(pw, pm, pv, unsafe.SliceData(vMax), pg, &f[0][0], len(w))
	}
}

// sqrt rounds correctly: float64 has more than twice the bits.
func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
