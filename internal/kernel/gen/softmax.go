package main

import "math"

// Registers that the passes over a row share.
const (
	yTop = "Y14" // the row's maximum
	ySum = "Y13" // the row's sum, and what follows from it
)

var shared = []string{yTop, ySum}

// softmax writes softmax, its logarithm, and their gradients.
func softmax(a *asm) {
	exponentials(a, "softmaxAVX2", true, func(p *prog) { p.set(p.pin(ySum), p.over(p.f(1), p.pin(ySum))) },
		func(p *prog, _ args) { p.store("dst", p.times(p.load("dst"), p.pin(ySum))) })
	exponentials(a, "logSoftmaxAVX2", false, func(p *prog) { p.set(p.pin(ySum), log(p, p.pin(ySum))) },
		func(p *prog, _ args) { p.store("dst", p.minus(p.minus(p.load("x"), p.pin(yTop)), p.pin(ySum))) })

	l := &loop{name: "softmaxGradAVX2", streams: []string{"dst", "dy", "y"}, rows: true}
	l.passes(a, func() {
		l.sum(a, func(p *prog) val { return p.fma(p.load("dy"), p.load("y"), p.pin(ySum)) })
		l.run(a, shared, func(p *prog, _ args) {
			p.store("dst", p.times(p.load("y"), p.minus(p.load("dy"), p.pin(ySum))))
		})
	})
	l = &loop{name: "logSoftmaxGradAVX2", streams: []string{"dst", "dy", "y"}, rows: true}
	l.passes(a, func() {
		l.sum(a, func(p *prog) val { return p.plus(p.pin(ySum), p.load("dy")) })
		l.run(a, shared, func(p *prog, _ args) {
			e := exp(p, p.load("y"))
			p.store("dst", p.fnma(e, p.pin(ySum), p.load("dy")))
		})
	})
	a.maskTable("tail")
}

// exponentials writes a kernel that finds a row's maximum, the exponentials of what is below it and their sum, does
// something with the sum, and then goes over the row a last time. keep puts the exponentials into dst.
func exponentials(a *asm, name string, keep bool, atSum func(p *prog), last bodyFunc) {
	l := &loop{name: name, streams: []string{"dst", "x"}, rows: true}
	l.passes(a, func() {
		a.op("VMOVUPS", a.constant(math.Float32bits(float32(math.Inf(-1)))), yTop)
		l.run(a, shared, func(p *prog, _ args) {
			p.set(p.pin(yTop), p.larger(p.orElse(p.load("x"), p.f(math.Inf(-1))), p.pin(yTop)))
		})
		a.fold("VMAXPS", yTop)
		l.sum(a, func(p *prog) val {
			e := exp(p, p.minus(p.load("x"), p.pin(yTop)))
			if keep {
				p.store("dst", e)
			}
			return p.plus(p.pin(ySum), p.orElse(e, p.f(0)))
		})
		p := &prog{asm: a, pinned: map[val]string{}, loop: l}
		atSum(p)
		p.emit(shared)
		l.run(a, shared, last)
	})
}

// passes writes a kernel whose rows take several passes.
func (l *loop) passes(a *asm, row func()) {
	arg := l.begin(a)
	l.parameters(a, arg)
	l.eachRow(a, arg, row)
	a.op("VZEROUPPER")
	a.op("RET")
}

// sum leaves the sum of the lanes in ySum, where add returns each lane's next sum.
func (l *loop) sum(a *asm, add func(p *prog) val) {
	a.op("VXORPS", ySum, ySum, ySum)
	l.run(a, shared, func(p *prog, _ args) { p.set(p.pin(ySum), add(p)) })
	a.fold("VADDPS", ySum)
}

// orElse is v, or other in the lanes beyond a tail.
func (p *prog) orElse(v, other val) val {
	if !p.masked {
		return v
	}
	return p.pick(p.pin(y(yTail)), v, other)
}

// fold combines the lanes of a register by halves and puts the result in all of them.
func (a *asm) fold(op, reg string) {
	half, r := "X0", "X"+reg[1:]
	a.op("VEXTRACTF128", "$1", reg, half)
	a.op(op, half, r, r)
	a.op("VPERMILPS", "$0x0e", r, half)
	a.op(op, half, r, r)
	a.op("VPERMILPS", "$0x01", r, half)
	a.op(op, half, r, r)
	a.op("VBROADCASTSS", r, reg)
}
