package main

import "fmt"

// reduce writes the sums over a vector. Those in double precision leave their lanes, and the rest of the vector, to Go.
func reduce(a *asm) {
	dot(a)
	maxAbs(a)
	sum(a, "sumAVX2", false)
	sum(a, "sumSquaresFromAVX2", true)
	layerNorm(a)
	a.maskTable("tail")
}

// dot leaves 32 lanes at acc.
func dot(a *asm) {
	a.hand("dotAVX2", "(acc, x, y *float32, n int)", 32)
	a.op("MOVQ", "x+8(FP)", "SI")
	a.op("MOVQ", "y+16(FP)", "DX")
	a.op("MOVQ", "n+24(FP)", "CX")
	for v := range 4 {
		a.op("VXORPS", y(v), y(v), y(v))
	}
	step := func(v int) {
		a.op("VMOVUPS", mem(32*v, "SI"), "Y4")
		a.op("VFMADD231PS", mem(32*v, "DX"), "Y4", y(v))
	}
	loop, less, done := a.label("loop"), a.label("less"), a.label("done")
	a.op("SUBQ", "$32", "CX")
	a.op("JLT", less)
	a.at(loop)
	for v := range 4 {
		step(v)
	}
	a.op("ADDQ", "$128", "SI")
	a.op("ADDQ", "$128", "DX")
	a.op("SUBQ", "$32", "CX")
	a.op("JGE", loop)
	a.at(less)
	a.op("ADDQ", "$32", "CX")
	for v := range 4 {
		part, next := a.label("part"), a.label("next")
		a.op("CMPQ", "CX", "$8")
		a.op("JLT", part)
		step(v)
		a.op("SUBQ", "$8", "CX")
		a.op("JMP", next)
		a.at(part)
		a.op("TESTQ", "CX", "CX")
		a.op("JEQ", done)
		a.mask("tail", "CX", 0, yTail, "R8", "R9")
		a.op("VMASKMOVPS", mem(32*v, "SI"), y(yTail), "Y4")
		a.op("VMASKMOVPS", mem(32*v, "DX"), y(yTail), "Y5")
		a.op("VFMADD231PS", "Y5", "Y4", y(v))
		a.op("JMP", done)
		a.at(next)
	}
	a.at(done)
	a.op("MOVQ", "acc+0(FP)", "DI")
	for v := range 4 {
		a.op("VMOVUPS", y(v), mem(32*v, "DI"))
	}
	a.op("VZEROUPPER")
	a.op("RET")
}

// maxAbs returns the bits of the largest absolute value of n numbers, a multiple of 8.
func maxAbs(a *asm) {
	a.hand("maxAbsBitsAVX2", "(x *float32, n int) uint32", 20)
	a.op("MOVQ", "x+0(FP)", "SI")
	a.op("MOVQ", "n+8(FP)", "CX")
	a.op("VPXOR", "Y1", "Y1", "Y1")
	a.op("VMOVUPS", a.constant(0x7fffffff), "Y2")
	loop, done := a.label("loop"), a.label("done")
	a.at(loop)
	a.op("SUBQ", "$8", "CX")
	a.op("JLT", done)
	a.op("VPAND", mem(0, "SI"), "Y2", "Y3")
	a.op("VPMAXUD", "Y3", "Y1", "Y1")
	a.op("ADDQ", "$32", "SI")
	a.op("JMP", loop)
	a.at(done)
	a.fold("VPMAXUD", "Y1")
	a.op("VMOVD", "X1", "AX")
	a.op("MOVL", "AX", "ret+16(FP)")
	a.op("VZEROUPPER")
	a.op("RET")
}

// sum adds n numbers, a multiple of 16, or the squares of their distances from m, to the lanes at acc.
func sum(a *asm, name string, squares bool) {
	decl, size := "(acc *float64, x *float32, n int)", 24
	if squares {
		decl, size = "(acc *float64, x *float32, n int, m float32)", 28
	}
	a.hand(name, decl, size)
	a.op("MOVQ", "acc+0(FP)", "DI")
	a.op("MOVQ", "x+8(FP)", "SI")
	a.op("MOVQ", "n+16(FP)", "CX")
	if squares {
		a.op("VBROADCASTSS", "m+24(FP)", "X15")
	}
	for v := range 4 {
		a.op("VMOVUPD", mem(32*v, "DI"), y(v))
	}
	loop, done := a.label("loop"), a.label("done")
	a.at(loop)
	a.op("SUBQ", "$16", "CX")
	a.op("JLT", done)
	for v := range 4 {
		if squares {
			a.op("VMOVUPS", mem(16*v, "SI"), x(4+v))
			a.op("VSUBPS", "X15", x(4+v), x(4+v))
			a.op("VCVTPS2PD", x(4+v), y(4+v))
			a.op("VFMADD231PD", y(4+v), y(4+v), y(v))
		} else {
			a.op("VCVTPS2PD", mem(16*v, "SI"), y(4+v))
			a.op("VADDPD", y(4+v), y(v), y(v))
		}
	}
	a.op("ADDQ", "$64", "SI")
	a.op("JMP", loop)
	a.at(done)
	for v := range 4 {
		a.op("VMOVUPD", y(v), mem(32*v, "DI"))
	}
	a.op("VZEROUPPER")
	a.op("RET")
}

// layerNorm writes the passes over a row of layer normalisation and of its gradient.
func layerNorm(a *asm) {
	(&loop{name: "layerNormAVX2", streams: []string{"dst", "x", "gamma", "beta"}, scalars: []string{"mean", "rstd"},
		unroll: 2, body: func(p *prog, k args) {
			xhat := p.times(p.minus(p.load("x"), k.scalar[0]), k.scalar[1])
			p.store("dst", p.fma(xhat, p.load("gamma"), p.load("beta")))
		}}).write(a)
	(&loop{name: "layerNormGradAVX2", streams: []string{"dst", "dy", "x", "gamma"},
		scalars: []string{"mean", "rstd", "s1", "s2"}, body: func(p *prog, k args) {
			xhat := p.times(p.minus(p.load("x"), k.scalar[0]), k.scalar[1])
			d := p.minus(p.times(p.load("dy"), p.load("gamma")), k.scalar[2])
			p.store("dst", p.times(k.scalar[1], p.fnma(xhat, k.scalar[3], d)))
		}}).write(a)
	layerNormSums(a)
}

// layerNormSums adds to dgamma and dbeta, and to 16 lanes each for the sum and the inner product. n is a multiple of 16.
func layerNormSums(a *asm) {
	const dgamma, dbeta, dy, in, gamma = "DI", "SI", "DX", "R8", "R9"
	names := []string{"acc", "dgamma", "dbeta", "dy", "x", "gamma", "n"}
	a.hand("layerNormSumsAVX2", "(acc *float64, dgamma, dbeta, dy, x, gamma *float32, n int, mean, rstd float32)", 64)
	for i, r := range []string{"AX", dgamma, dbeta, dy, in, gamma, "CX"} {
		a.op("MOVQ", fmt.Sprintf("%s+%d(FP)", names[i], 8*i), r)
	}
	a.op("VBROADCASTSS", "mean+56(FP)", "Y15")
	a.op("VBROADCASTSS", "rstd+60(FP)", "Y14")
	for v := range 8 {
		a.op("VMOVUPD", mem(32*v, "AX"), y(v))
	}
	loop, done := a.label("loop"), a.label("done")
	a.at(loop)
	a.op("SUBQ", "$16", "CX")
	a.op("JLT", done)
	for h := range 2 {
		a.op("VMOVUPS", mem(32*h, in), "Y8")
		a.op("VSUBPS", "Y15", "Y8", "Y8")
		a.op("VMULPS", "Y14", "Y8", "Y8") // xhat
		a.op("VMOVUPS", mem(32*h, dy), "Y9")
		a.op("VMOVUPS", mem(32*h, dgamma), "Y10")
		a.op("VFMADD231PS", "Y9", "Y8", "Y10")
		a.op("VMOVUPS", "Y10", mem(32*h, dgamma))
		a.op("VADDPS", mem(32*h, dbeta), "Y9", "Y10")
		a.op("VMOVUPS", "Y10", mem(32*h, dbeta))
		a.op("VMULPS", mem(32*h, gamma), "Y9", "Y9")
		for q := range 2 {
			a.op("VEXTRACTF128", fmt.Sprintf("$%d", q), "Y8", "X10")
			a.op("VEXTRACTF128", fmt.Sprintf("$%d", q), "Y9", "X11")
			a.op("VCVTPS2PD", "X10", "Y10")
			a.op("VCVTPS2PD", "X11", "Y11")
			a.op("VADDPD", "Y11", y(2*h+q), y(2*h+q))
			a.op("VFMADD231PD", "Y10", "Y11", y(4+2*h+q))
		}
	}
	for _, r := range []string{dgamma, dbeta, dy, in, gamma} {
		a.op("ADDQ", "$64", r)
	}
	a.op("JMP", loop)
	a.at(done)
	for v := range 8 {
		a.op("VMOVUPD", y(v), mem(32*v, "AX"))
	}
	a.op("VZEROUPPER")
	a.op("RET")
}
