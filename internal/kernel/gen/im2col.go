package main

import "fmt"

// im2col writes the copy of windows that lie inside the image: kh lines of line numbers each, stepRow bytes apart, for
// positions that are stepX bytes apart. Lines are copied by eights: up to seven numbers beyond a line are read, and written
// until the next line takes their place.
func im2col(a *asm) {
	const dst, src, positions, kh, line, stepX, stepRow = "DI", "SI", "R8", "R9", "R10", "R11", "R12"
	const d, s, rows, left, lineBytes = "AX", "BX", "CX", "R13", "R14"
	names := []string{"dst", "x", "positions", "kh", "line", "stepX", "stepRow"}
	a.hand("im2colAVX2", "(dst, x *float32, positions, kh, line, stepX, stepRow int)", 56)
	for i, r := range []string{dst, src, positions, kh, line, stepX, stepRow} {
		a.op("MOVQ", fmt.Sprintf("%s+%d(FP)", names[i], 8*i), r)
	}
	a.op("LEAQ", fmt.Sprintf("(%s*4)", line), lineBytes)
	position, row, chunk, done := a.label("position"), a.label("row"), a.label("chunk"), a.label("done")
	a.at(position)
	a.op("DECQ", positions)
	a.op("JLT", done)
	a.op("MOVQ", src, s)
	a.op("MOVQ", kh, rows)
	a.at(row)
	a.op("XORQ", d, d)
	a.op("MOVQ", line, left)
	a.at(chunk)
	a.op("VMOVUPS", mem(0, s, d, "1"), "Y0")
	a.op("VMOVUPS", "Y0", mem(0, dst, d, "1"))
	a.op("ADDQ", "$32", d)
	a.op("SUBQ", "$8", left)
	a.op("JGT", chunk)
	a.op("ADDQ", lineBytes, dst)
	a.op("ADDQ", stepRow, s)
	a.op("DECQ", rows)
	a.op("JNE", row)
	a.op("ADDQ", stepX, src)
	a.op("JMP", position)
	a.at(done)
	a.op("VZEROUPPER")
	a.op("RET")
}
