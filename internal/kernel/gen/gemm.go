package main

import "fmt"

// Registers of the matrix kernels. a0 points to row 0 of A's tile, a3 to row 3.
const (
	rA0, rA3, rRS, rCS      = "AX", "BX", "CX", "DX"
	rB, rLDB, rK, rC, rLDC  = "SI", "DI", "R8", "R9", "R10"
	rArgs, rTiles, rA, rCnt = "R11", "R12", "R13", "R15"
	rC3                     = "R14"
)

// Offsets in the struct tileArgs.
const (
	argA, argRS, argCS, argAStep = 0, 8, 16, 24
	argB, argLDB, argBStep       = 32, 40, 48
	argC, argLDC, argCStep       = 56, 64, 72
	argK, argTiles, argPanels    = 80, 88, 96
	argWidth, argLoad, argRows   = 104, 112, 120
)

const maxRows = 6

// width says which columns of a panel of 16 a tile has.
type width int

const (
	wFull width = iota // all
	wHigh              // 8 and some of the next 8: the second vector is masked
	wLow               // some of the first 8: one vector, masked
)

// tile has rows*vecs accumulators Y0 ...; then come the vectors of B, the broadcast A and the mask.
type tile struct {
	*asm
	rows int
	w    width
}

const (
	yB0, yB1, yA, yMask = 12, 13, 14, 15
)

// gemm writes gemmTiles.
func gemm(a *asm) {
	a.tileKernels("gemmTiles", maxRows, narrowTiles)
	a.maskTable("gemmMask")
}

// tileKernels writes a kernel for each number of rows, and the function that goes on with the one that its arguments
// ask for.
func (a *asm) tileKernels(name string, most int, write func(a *asm, rows int)) {
	a.text(name, 8, "(args *tileArgs)")
	a.op("MOVQ", "args+0(FP)", rArgs)
	a.op("MOVQ", mem(argRows, rArgs), rCnt)
	for rows := 1; rows < most; rows++ {
		a.op("CMPQ", rCnt, fmt.Sprintf("$%d", rows))
		a.op("JEQ", fmt.Sprintf("rows%d", rows))
	}
	for rows := most; rows > 0; rows-- {
		a.at(fmt.Sprintf("rows%d", rows))
		write(a, rows)
	}
}

// narrowTiles computes tiles of a number of rows.
func narrowTiles(a *asm, rows int) {
	a.op("MOVQ", mem(argRS, rArgs), rRS)
	a.op("MOVQ", mem(argCS, rArgs), rCS)
	a.op("MOVQ", mem(argLDB, rArgs), rLDB)
	a.op("MOVQ", mem(argLDC, rArgs), rLDC)
	full, edge, high, done := a.label("panel"), a.label("edge"), a.label("high"), a.label("done")
	a.at(full)
	a.op("DECQ", mem(argPanels, rArgs))
	a.op("JLT", edge)
	tile{a, rows, wFull}.column()
	a.op("MOVQ", mem(argBStep, rArgs), rCnt)
	a.op("ADDQ", rCnt, mem(argB, rArgs))
	a.op("ADDQ", "$64", mem(argC, rArgs))
	a.op("JMP", full)
	a.at(edge)
	a.op("MOVQ", mem(argWidth, rArgs), rCnt)
	a.op("TESTQ", rCnt, rCnt)
	a.op("JEQ", done)
	a.op("CMPQ", rCnt, "$8")
	a.op("JGT", high)
	a.mask("gemmMask", rCnt, 0, yMask, rA0, rK)
	tile{a, rows, wLow}.column()
	a.op("JMP", done)
	a.at(high)
	a.mask("gemmMask", rCnt, 1, yMask, rA0, rK)
	tile{a, rows, wHigh}.column()
	a.at(done)
	a.op("VZEROUPPER")
	a.op("RET")
}

// column computes the tiles of one panel, from top to bottom.
func (t tile) column() {
	next := t.label("tile")
	t.op("MOVQ", mem(argTiles, rArgs), rTiles)
	t.op("MOVQ", mem(argA, rArgs), rA)
	t.op("MOVQ", mem(argC, rArgs), rC)
	t.at(next)
	t.op("MOVQ", rA, rA0)
	if t.rows > 3 {
		t.op("LEAQ", mem(0, rA, rRS, "2"), rA3)
		t.op("ADDQ", rRS, rA3)
		t.op("LEAQ", mem(0, rC, rLDC, "2"), rC3)
		t.op("ADDQ", rLDC, rC3)
	}
	t.op("MOVQ", mem(argB, rArgs), rB)
	t.begin()
	t.alongK(t.step)
	t.store()
	t.op("ADDQ", mem(argAStep, rArgs), rA)
	t.op("ADDQ", mem(argCStep, rArgs), rC)
	t.op("DECQ", rTiles)
	t.op("JNE", next)
}

// vecs is the number of vectors of a row.
func (t tile) vecs() int {
	if t.w == wLow {
		return 1
	}
	return 2
}

func (t tile) acc(row, vec int) int { return row*2 + vec }

// cell is the address of row's element of C, rowA that of A.
func (t tile) cell(row, disp int) string { return rowAddr(rC, rC3, rLDC, row, disp) }

func rowAddr(base, base3, stride string, row, disp int) string {
	if row >= 3 {
		base, row = base3, row-3
	}
	if row == 0 {
		return mem(disp, base)
	}
	return mem(disp, base, stride, fmt.Sprint(row))
}

// begin loads C, or zeros, into the accumulators.
func (t tile) begin() {
	zero, done := t.label("zero"), t.label("begun")
	t.op("CMPQ", mem(argLoad, rArgs), "$0")
	t.op("JEQ", zero)
	for r := range t.rows {
		for v := range t.vecs() {
			if t.masked(v) {
				t.op("VMASKMOVPS", t.cell(r, 32*v), y(yMask), y(t.acc(r, v)))
			} else {
				t.op("VMOVUPS", t.cell(r, 32*v), y(t.acc(r, v)))
			}
		}
	}
	t.op("JMP", done)
	t.at(zero)
	for r := range t.rows {
		t.op("PREFETCHT0", t.cell(r, 0))
		for v := range t.vecs() {
			n := t.acc(r, v)
			t.op("VXORPS", y(n), y(n), y(n))
		}
	}
	t.at(done)
}

// masked tells whether vector v is masked.
func (t tile) masked(v int) bool { return t.w == wLow || t.w == wHigh && v == 1 }

// alongK writes step, of one k, for all k: four at a time and then one at a time.
func (a *asm) alongK(step func()) {
	four, one, rest, done := a.label("four"), a.label("one"), a.label("rest"), a.label("stop")
	a.op("MOVQ", mem(argK, rArgs), rCnt)
	a.op("SHRQ", "$2", rCnt)
	a.op("JEQ", rest)
	a.at(four)
	for range 4 {
		step()
	}
	a.op("DECQ", rCnt)
	a.op("JNE", four)
	a.at(rest)
	a.op("MOVQ", mem(argK, rArgs), rCnt)
	a.op("ANDQ", "$3", rCnt)
	a.op("JEQ", done)
	a.at(one)
	step()
	a.op("DECQ", rCnt)
	a.op("JNE", one)
	a.at(done)
}

// step adds one outer product.
func (t tile) step() {
	for v := range t.vecs() {
		if t.masked(v) {
			t.op("VMASKMOVPS", mem(32*v, rB), y(yMask), y(yB0+v))
		} else {
			t.op("VMOVUPS", mem(32*v, rB), y(yB0+v))
		}
	}
	t.op("ADDQ", rLDB, rB)
	for r := range t.rows {
		t.op("VBROADCASTSS", rowAddr(rA0, rA3, rRS, r, 0), y(yA))
		for v := range t.vecs() {
			t.op("VFMADD231PS", y(yB0+v), y(yA), y(t.acc(r, v)))
		}
	}
	t.op("ADDQ", rCS, rA0)
	if t.rows > 3 {
		t.op("ADDQ", rCS, rA3)
	}
}

// store writes the accumulators to C.
func (t tile) store() {
	for r := range t.rows {
		for v := range t.vecs() {
			if !t.masked(v) {
				t.op("VMOVUPS", y(t.acc(r, v)), t.cell(r, 32*v))
			}
		}
	}
	if t.w != wFull {
		t.storePart(t.vecs() - 1)
	}
}

// storePart writes the first elements of vector v of each row, as many as the panel's width has: by fours, twos and
// ones, which is faster than a masked store. It destroys the accumulators.
func (t tile) storePart(v int) {
	all, done := t.label("all"), t.label("stored")
	t.op("MOVQ", mem(argWidth, rArgs), rCnt)
	t.op("CMPQ", rCnt, fmt.Sprintf("$%d", 8*v+8))
	t.op("JEQ", all)
	t.op("MOVQ", rC, rA0)
	if t.rows > 3 {
		t.op("MOVQ", rC3, rA3)
	}
	t.piece(v, 4, func(n int, addr string) {
		t.op("VMOVUPS", x(n), addr)
		t.op("VEXTRACTF128", "$1", y(n), x(n))
	})
	t.piece(v, 2, func(n int, addr string) {
		t.op("VMOVLPS", x(n), addr)
		t.op("VPERMILPS", "$0xee", x(n), x(n))
	})
	t.piece(v, 1, func(n int, addr string) { t.op("VMOVSS", x(n), addr) })
	t.op("JMP", done)
	t.at(all)
	for r := range t.rows {
		t.op("VMOVUPS", y(t.acc(r, v)), t.cell(r, 32*v))
	}
	t.at(done)
}

// piece writes size elements of every row if the width has them, and moves the row pointers past them.
func (t tile) piece(v, size int, write func(n int, addr string)) {
	skip := t.label("skip")
	t.op("TESTQ", fmt.Sprintf("$%d", size), rCnt)
	t.op("JEQ", skip)
	for r := range t.rows {
		write(t.acc(r, v), rowAddr(rA0, rA3, rLDC, r, 32*v))
	}
	t.op("ADDQ", fmt.Sprintf("$%d", 4*size), rA0)
	if t.rows > 3 {
		t.op("ADDQ", fmt.Sprintf("$%d", 4*size), rA3)
	}
	t.at(skip)
}
