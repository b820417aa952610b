package main

import (
	"fmt"
	"slices"
	"strings"
)

// loop is a kernel over vectors: for each i, body computes element i of its streams from the same element of others.
//
//	func name(streams... *float32, [factors *float32,] n int, scalars... float32)
//
// With rows, the streams that are not in vectors are matrices of rows x n:
//
//	func name(streams... *float32, rows, n int, scalars... float32)
type loop struct {
	name    string
	streams []string
	vectors []string // of streams: the same for every row
	rows    bool
	factors int      // numbers at *factors, each of them eight times
	scalars []string // parameters in a register
	unroll  int
	body    bodyFunc
}

// bodyFunc writes the body of a loop once.
type bodyFunc func(p *prog, k args)

// args are the values that all iterations share.
type args struct {
	scalar []val
	factor []val
}

var pointers = []string{"DI", "SI", "DX", "R8", "R9", "R10", "R11"}

const (
	rIndex, rCount, rFactors = "AX", "CX", "BX"
	rTmp, rTmp2, rRows, rN   = "R12", "R14", "R13", "R15"
)

func (l *loop) addr(stream string, disp int) string {
	for i, s := range l.streams {
		if s == stream {
			return mem(disp, pointers[i], rIndex, "1")
		}
	}
	panic("no stream " + stream + " in " + l.name)
}

// decl returns the parameter list, and the offset of each parameter with the size of all as "".
func (l *loop) decl() (string, map[string]int) {
	at, off := map[string]int{}, 0
	place := func(size int, names ...string) {
		for _, n := range names {
			at[n] = off
			off += size
		}
	}
	place(8, l.streams...)
	s := strings.Join(l.streams, ", ")
	if l.factors > 0 {
		place(8, "factors")
		s += ", factors"
	}
	s += " *float32, "
	if l.rows {
		place(8, "rows")
		s += "rows, "
	}
	place(8, "n")
	s += "n int"
	if len(l.scalars) > 0 {
		place(4, l.scalars...)
		s += ", " + strings.Join(l.scalars, ", ") + " float32"
	}
	at[""] = off
	return "(" + s + ")", at
}

// write writes the kernel.
func (l *loop) write(a *asm) {
	arg := l.begin(a)
	reserved := l.parameters(a, arg)
	if !l.rows {
		a.op("MOVQ", arg("n"), rCount)
		l.run(a, reserved, l.body)
	} else {
		l.eachRow(a, arg, func() { l.run(a, reserved, l.body) })
	}
	a.op("VZEROUPPER")
	a.op("RET")
}

// begin writes the head of the function, and returns how to address a parameter.
func (l *loop) begin(a *asm) (arg func(string) string) {
	decl, at := l.decl()
	a.text(l.name, at[""], decl)
	a.decls = append(a.decls, "func "+l.name+decl)
	return func(name string) string { return fmt.Sprintf("%s+%d(FP)", name, at[name]) }
}

// parameters loads the pointers and the scalars, and returns the registers of these.
func (l *loop) parameters(a *asm, arg func(string) string) (reserved []string) {
	for i, s := range l.streams {
		a.op("MOVQ", arg(s), pointers[i])
	}
	if l.factors > 0 {
		a.op("MOVQ", arg("factors"), rFactors)
	}
	for i, s := range l.scalars {
		reserved = append(reserved, y(14-i))
		a.op("VBROADCASTSS", arg(s), y(14-i))
	}
	return reserved
}

// eachRow runs one row after the other.
func (l *loop) eachRow(a *asm, arg func(string) string, run func()) {
	row, done := a.label("row"), a.label("done")
	a.op("MOVQ", arg("rows"), rRows)
	a.op("MOVQ", arg("n"), rN)
	a.at(row)
	a.op("DECQ", rRows)
	a.op("JLT", done)
	run()
	for i, s := range l.streams {
		if !slices.Contains(l.vectors, s) {
			a.op("LEAQ", mem(0, pointers[i], rN, "4"), pointers[i])
		}
	}
	a.op("JMP", row)
	a.at(done)
}

// run goes through rCount elements: by unroll*8, by 8, and the rest under a mask.
func (l *loop) run(a *asm, reserved []string, body bodyFunc) {
	a.op("XORQ", rIndex, rIndex)
	if l.rows {
		a.op("MOVQ", rN, rCount)
	}
	if l.unroll > 1 {
		l.block(a, l.unroll, reserved, body)
	}
	l.block(a, 1, reserved, body)
	done := a.label("end")
	a.op("TESTQ", rCount, rCount)
	a.op("JEQ", done)
	a.mask("tail", rCount, 0, yTail, rTmp, rTmp2)
	l.copy(a, 0, true, reserved, body)
	a.at(done)
}

// block is the loop for u*8 elements at a time.
func (l *loop) block(a *asm, u int, reserved []string, body bodyFunc) {
	again, less := a.label("loop"), a.label("less")
	a.op("SUBQ", fmt.Sprintf("$%d", 8*u), rCount)
	a.op("JLT", less)
	a.at(again)
	for i := range u {
		l.copy(a, 32*i, false, reserved, body)
	}
	a.op("ADDQ", fmt.Sprintf("$%d", 32*u), rIndex)
	a.op("SUBQ", fmt.Sprintf("$%d", 8*u), rCount)
	a.op("JGE", again)
	a.at(less)
	a.op("ADDQ", fmt.Sprintf("$%d", 8*u), rCount)
}

// copy writes the body once.
func (l *loop) copy(a *asm, disp int, masked bool, reserved []string, body bodyFunc) {
	p := &prog{asm: a, pinned: map[val]string{}, masked: masked, disp: disp, loop: l}
	var k args
	for i := range l.scalars {
		k.scalar = append(k.scalar, p.pin(y(14-i)))
	}
	for i := range l.factors {
		k.factor = append(k.factor, p.pin(mem(32*i, rFactors)))
	}
	body(p, k)
	p.emit(reserved)
}
