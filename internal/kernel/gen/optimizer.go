package main

// optimizer writes the updates of the optimizers; their comments in package kernel are the loops. The factors of
// each are in the order in which these functions name them.
func optimizer(a *asm) {
	sgd(a)
	adam(a, "adamAVX2", false)
	adam(a, "amsgradAVX2", true)
	for _, centered := range []bool{false, true} {
		for _, momentum := range []bool{false, true} {
			rmsprop(a, centered, momentum)
		}
	}
	(&loop{name: "adagradAVX2", streams: []string{"w", "acc", "grad"}, factors: 3, body: func(p *prog, k args) {
		lr, decay, epsilon := k.factor[0], k.factor[1], k.factor[2]
		w := p.load("w")
		d := p.fma(decay, w, p.load("grad"))
		acc := p.fma(d, d, p.load("acc"))
		p.store("acc", acc)
		d = p.over(d, p.plus(p.sqrt(acc), epsilon))
		p.store("w", p.fnma(lr, d, w))
	}}).write(a)
	a.maskTable("tail")
}

func sgd(a *asm) {
	(&loop{name: "sgdAVX2", streams: []string{"w", "grad"}, factors: 2, unroll: 2, body: func(p *prog, k args) {
		w := p.load("w")
		d := p.fma(k.factor[1], w, p.load("grad"))
		p.store("w", p.fnma(k.factor[0], d, w))
	}}).write(a)
	for _, nesterov := range []bool{false, true} {
		name := "momentumAVX2"
		if nesterov {
			name = "nesterovAVX2"
		}
		(&loop{name: name, streams: []string{"w", "velocity", "grad"}, factors: 3, unroll: 2, body: func(p *prog, k args) {
			lr, decay, mu := k.factor[0], k.factor[1], k.factor[2]
			w := p.load("w")
			d := p.fma(decay, w, p.load("grad"))
			v := p.fma(mu, p.load("velocity"), d)
			p.store("velocity", v)
			if nesterov {
				v = p.fma(mu, v, d)
			}
			p.store("w", p.fnma(lr, v, w))
		}}).write(a)
	}
}

func adam(a *asm, name string, amsgrad bool) {
	streams := []string{"w", "m", "v", "grad"}
	if amsgrad {
		streams = []string{"w", "m", "v", "vMax", "grad"}
	}
	(&loop{name: name, streams: streams, factors: 9, body: func(p *prog, k args) {
		f := k.factor
		l2, decay, beta1, c1, beta2, c2, unbias, epsilon, step := f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8]
		w := p.load("w")
		d := p.fma(l2, w, p.load("grad"))
		w = p.fnma(decay, w, w)
		m := p.fma(beta1, p.load("m"), p.times(d, c1))
		p.store("m", m)
		v := p.fma(beta2, p.load("v"), p.times(p.times(d, c2), d))
		p.store("v", v)
		if amsgrad {
			v = p.larger(p.load("vMax"), v)
			p.store("vMax", v)
		}
		s := p.plus(p.sqrt(p.times(v, unbias)), epsilon)
		p.store("w", p.fnma(p.over(m, s), step, w))
	}}).write(a)
}

func rmsprop(a *asm, centered, momentum bool) {
	name, streams := "rmspropAVX2", []string{"w", "square", "grad"}
	if centered {
		name, streams = "centeredAVX2", append(streams, "average")
	}
	if momentum {
		name, streams = name[:len(name)-4]+"MomentumAVX2", append(streams, "velocity")
	}
	(&loop{name: name, streams: streams, factors: 6, body: func(p *prog, k args) {
		lr, decay, rho, c, epsilon, mu := k.factor[0], k.factor[1], k.factor[2], k.factor[3], k.factor[4], k.factor[5]
		w := p.load("w")
		d := p.fma(decay, w, p.load("grad"))
		s := p.fma(rho, p.load("square"), p.times(p.times(d, c), d))
		p.store("square", s)
		if centered {
			average := p.fma(rho, p.load("average"), p.times(d, c))
			p.store("average", average)
			s = p.larger(p.f(0), p.fnma(average, average, s))
		}
		d = p.over(d, p.plus(p.sqrt(s), epsilon))
		if momentum {
			d = p.fma(mu, p.load("velocity"), d)
			p.store("velocity", d)
		}
		p.store("w", p.fnma(lr, d, w))
	}}).write(a)
}
