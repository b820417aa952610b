package optim

import "lockstep/internal/kernel"

func sgd(o *Optimizer, w, g []float32, slots [3][]float32) {
	s := &o.spec
	h := kernel.SGD{LearningRate: o.now.lr, Momentum: s.Momentum, Nesterov: s.Nesterov, WeightDecay: s.WeightDecay}
	kernel.StepSGD(w, slots[0], g, &h)
}

func adam(o *Optimizer, w, g []float32, slots [3][]float32) {
	s := &o.spec
	h := kernel.Adam{LearningRate: o.now.lr, Beta1: s.Beta1, Beta2: s.Beta2, Epsilon: s.Epsilon,
		WeightDecay: s.WeightDecay, Decoupled: s.Type == "adamw"}
	kernel.StepAdam(w, slots[0], slots[1], slots[2], g, &h, o.now.step)
}

func rmsprop(o *Optimizer, w, g []float32, slots [3][]float32) {
	s := &o.spec
	h := kernel.RMSProp{LearningRate: o.now.lr, Rho: s.Rho, Epsilon: s.Epsilon, Momentum: s.Momentum,
		Centered: s.Centered, WeightDecay: s.WeightDecay}
	average, velocity := slots[1], slots[2]
	if !s.Centered { // the slots are square_average, then those in use
		average, velocity = nil, slots[1]
	}
	kernel.StepRMSProp(w, slots[0], average, velocity, g, &h)
}

func adagrad(o *Optimizer, w, g []float32, slots [3][]float32) {
	s := &o.spec
	h := kernel.Adagrad{LearningRate: o.now.lr, Epsilon: s.Epsilon, WeightDecay: s.WeightDecay}
	kernel.StepAdagrad(w, slots[0], g, &h)
}
