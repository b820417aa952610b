package main

// activation writes the activations and their gradients: functions of package kernel, again.
func activation(a *asm) {
	for _, f := range []struct {
		name   string
		unroll int
		value  func(p *prog, x val) val
	}{{"relu", 4, relu}, {"gelu", 1, gelu}, {"geluTanh", 1, geluTanh}, {"silu", 1, silu}} {
		(&loop{name: f.name + "AVX2", streams: []string{"dst", "x"}, unroll: f.unroll, body: func(p *prog, _ args) {
			p.store("dst", f.value(p, p.load("x")))
		}}).write(a)
	}
	for _, f := range []struct {
		name, of string
		unroll   int
		slope    func(p *prog, x val) val
	}{{"gelu", "x", 1, geluSlope}, {"geluTanh", "x", 1, geluTanhSlope}, {"silu", "x", 1, siluSlope},
		{"sigmoid", "y", 2, sigmoidSlope}, {"tanh", "y", 2, tanhSlope}, {"softplus", "x", 1, sigmoid}} {
		(&loop{name: f.name + "GradAVX2", streams: []string{"dst", "dy", f.of}, unroll: f.unroll, body: func(p *prog, _ args) {
			s := f.slope(p, p.load(f.of))
			p.store("dst", p.times(p.load("dy"), s))
		}}).write(a)
	}
	branches(a)
	a.maskTable("tail")
}

// branches writes those that differ for positive and other x.
func branches(a *asm) {
	(&loop{name: "reluGradAVX2", streams: []string{"dst", "dy", "y"}, unroll: 4, body: func(p *prog, _ args) {
		positive := p.cmp(gt, p.load("y"), p.f(0))
		p.store("dst", p.and(positive, p.load("dy")))
	}}).write(a)
	(&loop{name: "leakyReluGradAVX2", streams: []string{"dst", "dy", "x"}, scalars: []string{"slope"}, unroll: 2,
		body: func(p *prog, k args) {
			dy := p.load("dy")
			positive := p.cmp(gt, p.load("x"), p.f(0))
			p.store("dst", p.pick(positive, dy, p.times(k.scalar[0], dy)))
		}}).write(a)
	(&loop{name: "eluAVX2", streams: []string{"dst", "x"}, scalars: []string{"alpha"}, body: func(p *prog, k args) {
		x := p.load("x")
		p.store("dst", p.pick(p.cmp(gt, x, p.f(0)), x, p.times(k.scalar[0], expm1(p, x))))
	}}).write(a)
	(&loop{name: "eluGradAVX2", streams: []string{"dst", "dy", "x"}, scalars: []string{"alpha"}, body: func(p *prog, k args) {
		x := p.load("x")
		s := p.times(k.scalar[0], exp(p, x))
		dy := p.load("dy")
		p.store("dst", p.pick(p.cmp(gt, x, p.f(0)), dy, p.times(dy, s)))
	}}).write(a)
}

func relu(p *prog, x val) val { return p.larger(p.f(0), x) }

func gelu(p *prog, x val) val {
	e := erf(p, p.times(x, p.f(sqrtHalf)))
	h := p.times(x, p.f(0.5))
	return p.fma(h, e, h)
}

const (
	sqrtHalf   = 0x1.6a09e6p-1
	normalPeak = 0x1.988454p-2
	geluC0     = 0x1.988454p-1
	geluC1     = 0x1.2444f2p-5
	geluC2     = 0x1.b6676cp-4
)

func geluSlope(p *prog, x val) val {
	cdf := p.fma(erf(p, p.times(x, p.f(sqrtHalf))), p.f(0.5), p.f(0.5))
	pdf := p.times(exp(p, p.times(p.times(x, p.f(-0.5)), x)), p.f(normalPeak))
	return p.fma(x, pdf, cdf)
}

func geluTanh(p *prog, x val) val {
	t := tanh(p, p.times(x, p.fma(p.times(x, x), p.f(geluC1), p.f(geluC0))))
	h := p.times(x, p.f(0.5))
	return p.fma(h, t, h)
}

func geluTanhSlope(p *prog, x val) val {
	s := p.times(x, x)
	t := tanh(p, p.times(x, p.fma(s, p.f(geluC1), p.f(geluC0))))
	slope := p.times(p.times(x, p.f(0.5)), p.fnma(t, t, p.f(1)))
	slope = p.times(slope, p.fma(s, p.f(geluC2), p.f(geluC0)))
	return p.plus(p.fma(t, p.f(0.5), p.f(0.5)), slope)
}

func silu(p *prog, x val) val { return p.times(x, sigmoid(p, x)) }

func siluSlope(p *prog, x val) val {
	s := sigmoid(p, x)
	return p.fma(p.times(x, s), p.minus(p.f(1), s), s)
}

func sigmoidSlope(p *prog, y val) val { return p.fnma(y, y, y) }

func tanhSlope(p *prog, y val) val { return p.fnma(y, y, p.f(1)) }
