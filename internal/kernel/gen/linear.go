package main

// linear writes the arithmetic on vectors and on the rows of matrices.
func linear(a *asm) {
	for _, f := range []struct {
		name string
		f    func(p *prog, x, y val) val
	}{{"add", (*prog).plus}, {"sub", (*prog).minus}, {"mul", (*prog).times}} {
		(&loop{name: f.name + "AVX2", streams: []string{"dst", "x", "y"}, unroll: 4, body: func(p *prog, _ args) {
			p.store("dst", f.f(p, p.load("x"), p.load("y")))
		}}).write(a)
	}
	(&loop{name: "mulAddAVX2", streams: []string{"dst", "x", "y"}, unroll: 4, body: func(p *prog, _ args) {
		p.store("dst", p.fma(p.load("x"), p.load("y"), p.load("dst")))
	}}).write(a)
	(&loop{name: "axpyAVX2", streams: []string{"dst", "x"}, scalars: []string{"alpha"}, unroll: 4, body: func(p *prog, k args) {
		p.store("dst", p.fma(k.scalar[0], p.load("x"), p.load("dst")))
	}}).write(a)
	(&loop{name: "scaleAVX2", streams: []string{"dst", "x"}, scalars: []string{"alpha"}, unroll: 4, body: func(p *prog, k args) {
		p.store("dst", p.times(k.scalar[0], p.load("x")))
	}}).write(a)
	(&loop{name: "sqrtAVX2", streams: []string{"dst", "x"}, body: func(p *prog, _ args) {
		p.store("dst", p.sqrt(p.load("x")))
	}}).write(a)
	rows(a)
	a.maskTable("tail")
}

// rows writes what combines every row of a matrix with the same vectors.
func rows(a *asm) {
	(&loop{name: "addBiasAVX2", streams: []string{"dst", "bias"}, vectors: []string{"bias"}, rows: true, unroll: 4,
		body: func(p *prog, _ args) { p.store("dst", p.plus(p.load("dst"), p.load("bias"))) }}).write(a)
	(&loop{name: "addBiasReluAVX2", streams: []string{"dst", "bias"}, vectors: []string{"bias"}, rows: true, unroll: 4,
		body: func(p *prog, _ args) { p.store("dst", relu(p, p.plus(p.load("dst"), p.load("bias")))) }}).write(a)
	(&loop{name: "normalizeAVX2", streams: []string{"dst", "x", "mean", "scale", "shift"}, rows: true, unroll: 2,
		vectors: []string{"mean", "scale", "shift"}, body: func(p *prog, _ args) {
			d := p.minus(p.load("x"), p.load("mean"))
			p.store("dst", p.fma(d, p.load("scale"), p.load("shift")))
		}}).write(a)
	(&loop{name: "normalizeGradAVX2", streams: []string{"dst", "dy", "x", "mean", "a", "b", "c"}, rows: true, unroll: 2,
		vectors: []string{"mean", "a", "b", "c"}, body: func(p *prog, _ args) {
			d := p.minus(p.load("x"), p.load("mean"))
			d = p.fma(p.load("b"), d, p.load("c"))
			p.store("dst", p.fma(p.load("a"), p.load("dy"), d))
		}}).write(a)
}
