package main

import (
	"fmt"
	"strings"
)

// registers gives registers to the values of a prog, in one pass along the line.
type registers struct {
	*prog
	where map[val]string
	last  map[val]int // the last instruction that uses a value
	free  []string
}

func (r *registers) take() string {
	if len(r.free) == 0 {
		panic("out of registers in " + r.loop.name)
	}
	n := len(r.free) - 1
	reg := r.free[n]
	r.free = r.free[:n]
	return reg
}

// constant returns the address of a constant, or "".
func (r *registers) address(v val) string {
	if in := r.ins[v]; in.kind == konst {
		return in.imm
	}
	if at := r.pinned[v]; strings.Contains(at, "(") {
		return at
	}
	return ""
}

// any returns a register or an address that holds v.
func (r *registers) any(v val) string {
	if at := r.address(v); at != "" {
		return at
	}
	return r.reg(v)
}

// reg returns the register of v. What is in memory is loaded into a register that nobody else sees.
func (r *registers) reg(v val) string {
	if at := r.pinned[v]; at != "" && !strings.Contains(at, "(") {
		return at
	}
	if at, ok := r.where[v]; ok {
		return at
	}
	at := r.take()
	r.op("VMOVUPS", r.address(v), at)
	r.where[v] = at
	return at
}

// dies tells whether v is in a register that is free after instruction i.
func (r *registers) dies(v, i val) bool {
	_, pinned := r.pinned[v]
	return !pinned && r.last[v] == int(i)
}

// release frees the registers of args that instruction i was the last to use. Copies of constants go at once.
func (r *registers) release(i val, args []val, except string) {
	for _, a := range args {
		at, ok := r.where[a]
		if !ok || at == "" || !(r.dies(a, i) || r.address(a) != "") {
			continue
		}
		delete(r.where, a)
		if at != except {
			r.free = append(r.free, at)
		}
	}
}

func (r *registers) emit(i val, in instr) {
	switch in.kind {
	case plain:
		r.plain(i, in)
	case unary, shift:
		a := r.reg(in.args[0])
		r.release(i, in.args, "")
		dst := r.take()
		if in.kind == unary {
			r.op(in.op, a, dst)
		} else {
			r.op(in.op, in.imm, a, dst)
		}
		r.where[i] = dst
	case fused:
		r.fused(i, in)
	case choose:
		m, yes, no := r.reg(in.args[0]), r.any(in.args[1]), r.reg(in.args[2])
		r.release(i, in.args, "")
		dst := r.take()
		r.op(in.op, m, yes, no, dst)
		r.where[i] = dst
	case load:
		dst := r.take()
		if r.masked {
			r.op("VMASKMOVPS", in.imm, y(yTail), dst)
		} else {
			r.op("VMOVUPS", in.imm, dst)
		}
		r.where[i] = dst
	case store:
		a := r.reg(in.args[0])
		if r.masked {
			r.op("VMASKMOVPS", a, y(yTail), in.imm)
		} else {
			r.op("VMOVUPS", a, in.imm)
		}
		r.release(i, in.args, "")
	case move:
		r.op("VMOVAPS", r.reg(in.args[0]), r.pinned[in.args[1]])
		r.release(i, in.args, "")
	}
}

func (r *registers) plain(i val, in instr) {
	a, b := r.reg(in.args[0]), r.any(in.args[1])
	r.release(i, in.args, "")
	dst := r.take()
	if in.imm != "" {
		r.op(in.op, in.imm, b, a, dst)
	} else {
		r.op(in.op, b, a, dst)
	}
	r.where[i] = dst
}

// fused takes the form of the instruction that overwrites an operand whose life ends, if there is one.
func (r *registers) fused(i val, in instr) {
	a, b, c := in.args[0], in.args[1], in.args[2]
	inMem := func(v val) bool { return r.address(v) != "" }
	ends := func(v val) bool { return !inMem(v) && r.dies(v, i) }
	if inMem(a) || !ends(a) && ends(b) {
		a, b = b, a // from here on, if a factor is in memory it is b; if one dies it is a
	}
	if inMem(a) {
		panic("product of two constants in " + r.loop.name)
	}
	var dst string
	switch {
	case inMem(c) && ends(a):
		dst = r.reg(a)
		r.op(in.op+"213PS", r.any(c), r.reg(b), dst)
	case ends(c):
		dst = r.reg(c)
		r.op(in.op+"231PS", r.any(b), r.reg(a), dst)
	case !inMem(c) && ends(a) && inMem(b):
		dst = r.reg(a)
		r.op(in.op+"132PS", r.any(b), r.reg(c), dst)
	case !inMem(c) && ends(a):
		dst = r.reg(a)
		r.op(in.op+"213PS", r.reg(c), r.reg(b), dst)
	default:
		dst = r.take()
		r.op("VMOVUPS", r.any(c), dst)
		r.op(in.op+"231PS", r.any(b), r.reg(a), dst)
	}
	r.release(i, in.args, dst)
	r.where[i] = dst
}

// constant returns the address of a vector with one number in every lane.
func (a *asm) constant(bits uint32) string {
	if a.consts == nil {
		a.consts = map[uint32]bool{}
	}
	name := fmt.Sprintf("c%08x<>", bits)
	if !a.consts[bits] {
		a.consts[bits] = true
		for i := range 4 {
			fmt.Fprintf(&a.data, "DATA %s+%d(SB)/8, $0x%08x%08x\n", name, 8*i, bits, bits)
		}
		fmt.Fprintf(&a.data, "GLOBL %s(SB), RODATA|NOPTR, $32\n", name)
	}
	return name + "(SB)"
}
