package main

import "fmt"

// pack writes packRows and transpose8.
func pack(a *asm) {
	packRows(a)
	transpose8(a)
	a.maskTable("packMask")
}

// packRows copies rows of a matrix to panels of 16 columns; the last one may have fewer.
func packRows(a *asm) {
	const (
		dst, src, ld, rows, panels, next, width = "DI", "SI", "DX", "R8", "R9", "R10", "R11"
		d, s, n, ahead                          = "AX", "BX", "CX", "R12"
	)
	a.text("packRowsAVX2", 56, "(dst, src unsafe.Pointer, ld, rows, panels, next, width int)")
	for i, r := range []string{dst, src, ld, rows, panels, next, width} {
		a.op("MOVQ", fmt.Sprintf("%s+%d(FP)", []string{"dst", "src", "ld", "rows", "panels", "next", "width"}[i], 8*i), r)
	}
	a.op("MOVQ", ld, ahead)
	a.op("SHLQ", "$4", ahead)
	panel, row, edge, last, done := a.label("panel"), a.label("row"), a.label("edge"), a.label("last"), a.label("done")
	begin := func() {
		a.op("MOVQ", dst, d)
		a.op("MOVQ", src, s)
		a.op("MOVQ", rows, n)
	}
	end := func(loop string) {
		a.op("VMOVUPS", "Y0", mem(0, d))
		a.op("VMOVUPS", "Y1", mem(32, d))
		a.op("ADDQ", ld, s)
		a.op("ADDQ", "$64", d)
		a.op("DECQ", n)
		a.op("JNE", loop)
	}
	a.at(panel)
	a.op("DECQ", panels)
	a.op("JLT", edge)
	begin()
	a.at(row)
	a.op("PREFETCHT0", mem(0, s, ahead, "1")) // the same columns of the next rows
	a.op("VMOVUPS", mem(0, s), "Y0")
	a.op("VMOVUPS", mem(32, s), "Y1")
	end(row)
	a.op("ADDQ", next, dst)
	a.op("ADDQ", "$64", src)
	a.op("JMP", panel)
	a.at(edge)
	a.op("TESTQ", width, width)
	a.op("JEQ", done)
	a.mask("packMask", width, 0, 2, d, n)
	a.mask("packMask", width, 1, 3, d, n)
	begin()
	a.at(last)
	a.op("VMASKMOVPS", mem(0, s), "Y2", "Y0")
	a.op("VMASKMOVPS", mem(32, s), "Y3", "Y1")
	end(last)
	a.at(done)
	a.op("VZEROUPPER")
	a.op("RET")
}

// transpose8 writes columns of 8 rows as rows of 8. Fewer rows stand for 8 with the last one repeated.
func transpose8(a *asm) {
	const dst, ldDst, k, col = "DI", "DX", "CX", "AX"
	rows := [8]string{"SI", "R8", "R9", "R10", "R11", "R12", "R13", "R15"}
	a.text("transpose8AVX2", 48, "(dst unsafe.Pointer, ldDst int, src unsafe.Pointer, ldSrc, k, rows int)")
	a.op("MOVQ", "dst+0(FP)", dst)
	a.op("MOVQ", "ldDst+8(FP)", ldDst)
	a.op("MOVQ", "src+16(FP)", rows[0])
	a.op("MOVQ", "ldSrc+24(FP)", "BX")
	a.op("MOVQ", "k+32(FP)", k)
	a.op("MOVQ", "rows+40(FP)", "R14")
	for i := 1; i < 8; i++ {
		a.op("LEAQ", mem(0, rows[i-1], "BX", "1"), rows[i])
		a.op("CMPQ", "R14", fmt.Sprintf("$%d", i))
		a.op("CMOVQEQ", rows[i-1], rows[i])
		a.op("JGT", "2(PC)")
		a.op("XORQ", "BX", "BX")
	}
	loop, last, done := a.label("loop"), a.label("last"), a.label("done")
	a.op("XORQ", col, col)
	a.at(loop)
	a.op("SUBQ", "$8", k)
	a.op("JLT", last)
	block8(a, rows, col, dst, ldDst)
	a.op("LEAQ", mem(0, dst, ldDst, "8"), dst)
	a.op("ADDQ", "$32", col)
	a.op("JMP", loop)
	a.at(last)
	a.op("ADDQ", "$8", k)
	a.op("JEQ", done)
	a.op("SUBQ", "$8", k) // go back to the last 8 columns
	a.op("LEAQ", mem(0, col, k, "4"), col)
	a.op("IMULQ", ldDst, k)
	a.op("ADDQ", k, dst)
	block8(a, rows, col, dst, ldDst)
	a.at(done)
	a.op("VZEROUPPER")
	a.op("RET")
}

// block8 transposes a block of 8x8.
func block8(a *asm, rows [8]string, col, dst, ld string) {
	for i := range 4 { // Y0-3: columns 0-3 of row i | of row i+4; Y4-7: columns 4-7
		for h := range 2 {
			a.op("VMOVUPS", mem(16*h, rows[i], col, "1"), x(4*h+i))
			a.op("VINSERTF128", "$1", mem(16*h, rows[i+4], col, "1"), y(4*h+i), y(4*h+i))
		}
	}
	for h := 0; h < 8; h += 4 {
		a.op("VUNPCKLPS", y(h+1), y(h), y(8)) // r0c0 r1c0 r0c1 r1c1
		a.op("VUNPCKHPS", y(h+1), y(h), y(9)) // r0c2 r1c2 r0c3 r1c3
		a.op("VUNPCKLPS", y(h+3), y(h+2), y(10))
		a.op("VUNPCKHPS", y(h+3), y(h+2), y(11))
		a.op("VSHUFPS", "$0x44", y(10), y(8), y(h))
		a.op("VSHUFPS", "$0xee", y(10), y(8), y(h+1))
		a.op("VSHUFPS", "$0x44", y(11), y(9), y(h+2))
		a.op("VSHUFPS", "$0xee", y(11), y(9), y(h+3))
	}
	a.op("LEAQ", mem(0, dst, ld, "2"), "BX")
	a.op("ADDQ", ld, "BX") // row 3
	a.op("LEAQ", mem(0, "BX", ld, "2"), "R14")
	a.op("ADDQ", ld, "R14") // row 6
	for i, at := range []string{mem(0, dst), mem(0, dst, ld, "1"), mem(0, dst, ld, "2"), mem(0, "BX"),
		mem(0, "BX", ld, "1"), mem(0, "BX", ld, "2"), mem(0, "R14"), mem(0, "R14", ld, "1")} {
		a.op("VMOVUPS", y(i), at)
	}
}
