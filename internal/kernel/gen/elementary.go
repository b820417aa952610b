package main

import "math"

// elementary writes the elementary functions and the activations. Each is the function of the same name in package kernel.
func elementary(a *asm) {
	for _, f := range []struct {
		name string
		f    func(p *prog, x val) val
	}{{"exp", exp}, {"expm1", expm1}, {"log", log}, {"log1p", log1p}, {"tanh", tanh}, {"sigmoid", sigmoid},
		{"softplus", softplus}, {"erf", erf}} {
		l := loop{name: f.name + "AVX2", streams: []string{"dst", "x"}, body: func(p *prog, _ args) {
			p.store("dst", f.f(p, p.load("x")))
		}}
		l.write(a)
	}
	a.maskTable("tail")
}

const (
	roundMagic   = 3 << 22
	roundBits    = 0x4b400000
	sqrtHalfBits = 0x3f3504f3
	one          = 0x3f800000
)

// horner is a polynomial in x, the highest coefficient first.
func (p *prog) horner(x val, c ...float64) val {
	r := p.fma(p.f(c[0]), x, p.f(c[1]))
	for _, v := range c[2:] {
		r = p.fma(r, x, p.f(v))
	}
	return r
}

func (p *prog) abs(x val) val  { return p.and(x, p.bits(0x7fffffff)) }
func (p *prog) sign(x val) val { return p.and(x, p.bits(0x80000000)) }

// reduce returns k, as an integer plus roundBits, and r.
func (p *prog) reduce(x val) (t, r val) {
	t = p.fma(x, p.f(0x1.715476p+0), p.f(roundMagic))
	k := p.minus(t, p.f(roundMagic))
	r = p.fnma(k, p.f(0x1.62e43p-1), x)
	return t, p.fnma(k, p.f(-0x1.05c61p-29), r)
}

func expPoly(p *prog, r val) val {
	return p.horner(r, 0x1.6b2d2ep-10, 0x1.124816p-7, 0x1.55581p-5, 0x1.55547ep-3, 0x1.fffffcp-2, 1, 1)
}

func exp(p *prog, x val) val {
	x = p.larger(p.f(-104), p.smaller(p.f(89), x))
	t, r := p.reduce(x)
	k := p.subI(t, p.bits(roundBits))
	h := p.sar(k, 1)
	y := expPoly(p, r)
	k = p.subI(k, h)
	y = p.times(y, p.shl(p.addI(h, p.bits(127)), 23))
	return p.times(y, p.shl(p.addI(k, p.bits(127)), 23))
}

func expSmall(p *prog, x val) val {
	t, r := p.reduce(x)
	s := p.shl(p.subI(t, p.bits(roundBits-127)), 23)
	return p.times(expPoly(p, r), s)
}

func expm1(p *prog, x val) val {
	t, r := p.reduce(p.larger(p.f(-30), p.smaller(p.f(89), x)))
	s := p.shl(p.subI(t, p.bits(roundBits-126)), 23)
	q := p.horner(r, 0x1.6ce22p-10, 0x1.12310ap-7, 0x1.555536p-5, 0x1.5554a4p-3, 0.5)
	q = p.fma(p.times(r, r), q, r)
	y := p.fma(s, q, p.minus(s, p.f(0.5)))
	y = p.plus(y, y)
	return p.pick(p.cmp(lt, p.abs(x), p.f(0x1p-24)), x, y)
}

func log(p *prog, x val) val {
	small := p.cmp(lt, x, p.f(0x1p-126))
	n := p.pick(small, p.times(x, p.f(0x1p23)), x)
	shift := p.and(small, p.f(-23))
	d := p.subI(n, p.bits(sqrtHalfBits))
	e := p.plus(p.toFloat(p.sar(d, 23)), shift)
	return logSpecial(p, x, logSum(p, p.mantissa(d), e))
}

// mantissa is 1 less than the number whose bits differ from those of sqrt(1/2) by the low 23 of d.
func (p *prog) mantissa(d val) val {
	m := p.addI(p.and(d, p.bits(0x7fffff)), p.bits(sqrtHalfBits))
	return p.minus(m, p.f(1))
}

func log1p(p *prog, x val) val {
	u := p.plus(x, p.f(1))
	lost := p.minus(x, p.minus(u, p.f(1)))
	d := p.subI(u, p.bits(sqrtHalfBits))
	scale := p.minI(p.and(d, p.bits(0xff800000)), p.bits(126<<23))
	scale = p.subI(p.bits(one), scale)
	f := p.fma(lost, scale, p.mantissa(d))
	y := logSum(p, f, p.toFloat(p.sar(d, 23)))
	y = p.pick(p.cmp(lt, p.abs(x), p.f(0x1p-24)), x, y)
	return logSpecial(p, u, y)
}

func logSum(p *prog, f, e val) val {
	q := p.horner(f, -0x1.38f944p-4, 0x1.057396p-3, -0x1.0d8344p-3, 0x1.22d65p-3, -0x1.547212p-3, 0x1.99a032p-3,
		-0x1.000228p-2, 0x1.555554p-2, -0.5)
	q = p.fma(q, p.times(f, f), f)
	q = p.fma(e, p.f(-0x1.05c61p-29), q)
	return p.fma(e, p.f(0x1.62e43p-1), q)
}

func logSpecial(p *prog, x, y val) val {
	y = p.pick(p.cmp(notGt, x, p.f(0)), p.bits(0x7fc00000), y)
	y = p.pick(p.cmp(eq, x, p.f(0)), p.f(math.Inf(-1)), y)
	return p.pick(p.cmp(eq, x, p.f(math.Inf(1))), x, y)
}

func tanh(p *prog, x val) val {
	s := p.times(x, x)
	q := p.horner(s, -0x1.9921ap-8, 0x1.58e518p-6, -0x1.b91e7ep-5, 0x1.110ceep-3, -0x1.55554ap-2)
	q = p.fma(p.times(q, s), x, x)
	z := p.abs(x)
	c := p.smaller(p.f(10), z)
	e := p.plus(expSmall(p, p.plus(c, c)), p.f(1))
	y := p.minus(p.f(1), p.over(p.f(2), e))
	return p.pick(p.cmp(lt, z, p.f(0.55)), q, p.or(y, p.sign(x)))
}

func sigmoid(p *prog, x val) val {
	e := exp(p, p.or(x, p.bits(0x80000000)))
	n := p.pick(p.cmp(lt, x, p.f(0)), e, p.f(1))
	d := p.plus(e, p.f(1))
	lost := p.minus(e, p.minus(d, p.f(1)))
	y := p.over(n, d)
	return p.fma(p.times(y, lost), p.f(-0.8), y)
}

func softplus(p *prog, x val) val {
	return p.plus(log1p(p, exp(p, p.or(x, p.bits(0x80000000)))), p.larger(p.f(0), x))
}

func erf(p *prog, x val) val {
	s := p.times(x, x)
	q := p.horner(s, -0x1.4cd86p-11, 0x1.4b763p-8, -0x1.b735eap-6, 0x1.ce256ap-4, -0x1.812726p-2, 0x1.06eba8p-3)
	q = p.fma(q, x, x)
	z := p.abs(x)
	c := p.smaller(p.f(3.95), z)
	g := p.horner(c, -0x1.ad5938p-13, 0x1.99f6cp-9, -0x1.7192cep-6, 0x1.ac7244p-4, 0x1.45db18p-1, 0x1.20cba2p+0,
		0x1.89edcp-14)
	y := p.minus(p.f(1), expSmall(p, p.xor(g, p.bits(0x80000000))))
	return p.pick(p.cmp(lt, z, p.f(0.85)), q, p.or(y, p.sign(x)))
}
