package main

import "fmt"

// columns writes the sums over the rows of a matrix. A few columns at a time, the sums stay in registers.
func columns(a *asm) {
	for _, c := range []*columnSum{
		{asm: a, name: "sumRowsAVX2", decl: "(dst, x *float32, rows, n int)", params: []string{"dst", "x", "rows", "n"}},
		{asm: a, name: "columnSumsAVX2", double: true, decl: "(dst *float64, x *float32, rows, n int)",
			params: []string{"dst", "x", "rows", "n"}},
		{asm: a, name: "columnDotsAVX2", double: true, decl: "(dst *float64, x, y *float32, rows, n int)",
			params: []string{"dst", "x", "y", "rows", "n"}},
		{asm: a, name: "columnSquaresAVX2", double: true, decl: "(dst *float64, x *float32, mean *float64, rows, n int)",
			params: []string{"dst", "x", "mean", "rows", "n"}},
	} {
		c.write()
	}
	a.maskTable("tail")
}

// columnSum is a kernel for dst[j] = sum over i. With double, sums are float64 and a vector has four columns.
type columnSum struct {
	*asm
	name, decl string
	params     []string
	double     bool
}

const (
	cDst, cX, cOther   = "DI", "SI", "DX"
	cRows, cN, cStride = "R9", "R10", "R11"
	cAtX, cAtY, cRow   = "AX", "BX", "CX"
	cTmp1, cTmp2       = "R12", "R13"
	maskDouble         = "Y14"
)

func (c *columnSum) has(param string) bool { return c.params[2] == param }

// lanes is the number of columns of a vector.
func (c *columnSum) lanes() int {
	if c.double {
		return 4
	}
	return 8
}

func (c *columnSum) write() {
	c.hand(c.name, c.decl, 8*len(c.params))
	for i, p := range c.params {
		r := map[string]string{"dst": cDst, "x": cX, "y": cOther, "mean": cOther, "rows": cRows, "n": cN}[p]
		c.op("MOVQ", fmt.Sprintf("%s+%d(FP)", p, 8*i), r)
	}
	c.op("LEAQ", "(R10*4)", cStride)
	done := c.label("done")
	c.op("TESTQ", cRows, cRows)
	c.op("JEQ", done)
	for _, vecs := range []int{4, 1} {
		again, less := c.label("block"), c.label("less")
		width := vecs * c.lanes()
		c.at(again)
		c.op("CMPQ", cN, fmt.Sprintf("$%d", width))
		c.op("JLT", less)
		c.block(vecs, false)
		c.op("SUBQ", fmt.Sprintf("$%d", width), cN)
		c.op("JMP", again)
		c.at(less)
	}
	c.op("TESTQ", cN, cN)
	c.op("JEQ", done)
	c.mask("tail", cN, 0, yTail, cTmp1, cTmp2)
	if c.double {
		c.op("VPMOVSXDQ", "X15", maskDouble)
	}
	c.block(1, true)
	c.at(done)
	c.op("VZEROUPPER")
	c.op("RET")
}

// block sums vecs vectors of columns and moves the pointers past them.
func (c *columnSum) block(vecs int, masked bool) {
	for v := range vecs {
		c.wide(cDst, v, y(v), masked)
		if c.has("mean") {
			c.wide(cOther, v, y(4+v), masked)
		}
	}
	c.op("MOVQ", cX, cAtX)
	c.op("MOVQ", cOther, cAtY)
	c.op("MOVQ", cRows, cRow)
	row := c.label("row")
	c.at(row)
	for v := range vecs {
		c.add(v, masked)
	}
	c.op("ADDQ", cStride, cAtX)
	c.op("ADDQ", cStride, cAtY)
	c.op("DECQ", cRow)
	c.op("JNE", row)
	for v := range vecs {
		switch {
		case masked && c.double:
			c.op("VMASKMOVPD", y(v), maskDouble, mem(32*v, cDst))
		case masked:
			c.op("VMASKMOVPS", y(v), y(yTail), mem(32*v, cDst))
		default:
			c.op("VMOVUPS", y(v), mem(32*v, cDst))
		}
	}
	c.advance(vecs)
}

// advance moves the pointers past vecs vectors.
func (c *columnSum) advance(vecs int) {
	c.op("ADDQ", fmt.Sprintf("$%d", 32*vecs), cDst)
	c.op("ADDQ", fmt.Sprintf("$%d", 4*c.lanes()*vecs), cX)
	if c.has("mean") {
		c.op("ADDQ", fmt.Sprintf("$%d", 32*vecs), cOther)
	} else {
		c.op("ADDQ", fmt.Sprintf("$%d", 4*c.lanes()*vecs), cOther)
	}
}

// wide loads a vector of sums or means.
func (c *columnSum) wide(base string, v int, reg string, masked bool) {
	switch {
	case masked && c.double:
		c.op("VMASKMOVPD", mem(32*v, base), maskDouble, reg)
	case masked:
		c.op("VMASKMOVPS", mem(32*v, base), y(yTail), reg)
	default:
		c.op("VMOVUPS", mem(32*v, base), reg)
	}
}

// narrow loads a vector of the matrix at base, converted if sums are double.
func (c *columnSum) narrow(base string, v, reg int, masked bool) {
	switch {
	case c.double && masked:
		c.op("VMASKMOVPS", mem(16*v, base), x(yTail), x(reg))
		c.op("VCVTPS2PD", x(reg), y(reg))
	case c.double:
		c.op("VCVTPS2PD", mem(16*v, base), y(reg))
	case masked:
		c.op("VMASKMOVPS", mem(32*v, base), y(yTail), y(reg))
	default:
		c.op("VMOVUPS", mem(32*v, base), y(reg))
	}
}

// add adds a row's vector to the sums.
func (c *columnSum) add(v int, masked bool) {
	c.narrow(cAtX, v, 8, masked)
	switch {
	case c.has("y"):
		c.narrow(cAtY, v, 9, masked)
		c.op("VFMADD231PD", "Y9", "Y8", y(v))
	case c.has("mean"):
		c.op("VSUBPD", y(4+v), "Y8", "Y8")
		c.op("VFMADD231PD", "Y8", "Y8", y(v))
	case c.double:
		c.op("VADDPD", "Y8", y(v), y(v))
	default:
		c.op("VADDPS", "Y8", y(v), y(v))
	}
}
