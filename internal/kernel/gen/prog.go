package main

import (
	"fmt"
	"math"
	"slices"
)

// val names the result of an instruction of a prog.
type val int

// prog is a straight line of vector instructions over values that are each written once. emit gives them registers.
type prog struct {
	*asm
	ins    []instr
	pinned map[val]string // values that live in a register, or at an address, for the whole kernel
	masked bool           // loads and stores go through yTail
	disp   int            // byte offset of this copy of the loop body
	loop   *loop
}

// yTail holds the mask of a tail.
const yTail = 15

// instr is one instruction: dst = op(args).
type instr struct {
	op   string
	args []val
	imm  string // an immediate, an address, or the bits of a constant
	kind kind
}

type kind int

const (
	plain  kind = iota // op args[1], args[0], dst
	unary              // op args[0], dst
	shift              // op imm, args[0], dst
	fused              // dst = ±args[0]*args[1] + args[2]; op is VFMADD or VFNMADD
	choose             // args[0] ? args[1] : args[2]
	konst
	load
	store
	move // into a pinned register
)

func (p *prog) add(i instr) val {
	p.ins = append(p.ins, i)
	return val(len(p.ins) - 1)
}

func (p *prog) op2(op string, a, b val) val { return p.add(instr{op: op, args: []val{a, b}}) }

func (p *prog) plus(a, b val) val  { return p.op2("VADDPS", a, b) }
func (p *prog) minus(a, b val) val { return p.op2("VSUBPS", a, b) }
func (p *prog) times(a, b val) val { return p.op2("VMULPS", a, b) }
func (p *prog) over(a, b val) val  { return p.op2("VDIVPS", a, b) }
func (p *prog) and(a, b val) val   { return p.op2("VANDPS", a, b) }
func (p *prog) or(a, b val) val    { return p.op2("VORPS", a, b) }
func (p *prog) xor(a, b val) val   { return p.op2("VXORPS", a, b) }
func (p *prog) addI(a, b val) val  { return p.op2("VPADDD", a, b) }
func (p *prog) subI(a, b val) val  { return p.op2("VPSUBD", a, b) }
func (p *prog) minI(a, b val) val  { return p.op2("VPMINSD", a, b) }

// larger is a if a > b, else b; smaller is a if a < b, else b.
func (p *prog) larger(a, b val) val  { return p.op2("VMAXPS", a, b) }
func (p *prog) smaller(a, b val) val { return p.op2("VMINPS", a, b) }

// fma is a*b + c, fnma is -a*b + c.
func (p *prog) fma(a, b, c val) val {
	return p.add(instr{op: "VFMADD", kind: fused, args: []val{a, b, c}})
}
func (p *prog) fnma(a, b, c val) val {
	return p.add(instr{op: "VFNMADD", kind: fused, args: []val{a, b, c}})
}

func (p *prog) sqrt(a val) val    { return p.add(instr{op: "VSQRTPS", kind: unary, args: []val{a}}) }
func (p *prog) toFloat(a val) val { return p.add(instr{op: "VCVTDQ2PS", kind: unary, args: []val{a}}) }

func (p *prog) shl(a val, n int) val { return p.shift("VPSLLD", a, n) }
func (p *prog) sar(a val, n int) val { return p.shift("VPSRAD", a, n) }
func (p *prog) shift(op string, a val, n int) val {
	return p.add(instr{op: op, kind: shift, args: []val{a}, imm: fmt.Sprintf("$%d", n)})
}

// Predicates of comparisons: ordered, so false for NaN, unless said otherwise.
const (
	eq       = "$0x00"
	lt       = "$0x11"
	gt       = "$0x1e"
	notGt    = "$0x1a" // true for NaN
	notEqual = "$0x04" // true for NaN
)

func (p *prog) cmp(pred string, a, b val) val {
	return p.add(instr{op: "VCMPPS", args: []val{a, b}, imm: pred})
}

// pick is yes where mask is set, else no.
func (p *prog) pick(mask, yes, no val) val {
	return p.add(instr{op: "VBLENDVPS", kind: choose, args: []val{mask, yes, no}})
}

// f is a constant, bits one that is given by its bits.
func (p *prog) f(c float64) val { return p.bits(math.Float32bits(float32(c))) }
func (p *prog) bits(b uint32) val {
	return p.add(instr{kind: konst, imm: p.asm.constant(b)})
}

// load reads 8 elements of a stream. Lanes beyond the end of a tail are 0.
func (p *prog) load(stream string) val {
	return p.add(instr{kind: load, imm: p.loop.addr(stream, p.disp)})
}

// store writes 8 elements of a stream, or what a tail has of them.
func (p *prog) store(stream string, v val) {
	p.add(instr{kind: store, args: []val{v}, imm: p.loop.addr(stream, p.disp)})
}

// pin declares a value that is already in a register or at an address.
func (p *prog) pin(where string) val {
	v := p.add(instr{kind: -1})
	p.pinned[v] = where
	return v
}

// set copies v to the pinned register of to.
func (p *prog) set(to, v val) { p.add(instr{kind: move, args: []val{v, to}}) }

// emit writes the instructions.
func (p *prog) emit(reserved []string) {
	r := &registers{prog: p, where: map[val]string{}, last: map[val]int{}}
	for n := yTail; n >= 0; n-- {
		if !slices.Contains(reserved, y(n)) && !(p.masked && n == yTail) {
			r.free = append(r.free, y(n))
		}
	}
	for i, in := range p.ins {
		for _, a := range in.args {
			r.last[a] = i
		}
	}
	for i, in := range p.ins {
		r.emit(val(i), in)
	}
}
