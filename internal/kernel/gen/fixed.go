package main

import (
	"fmt"
	"strings"
)

// fixed writes the conversions to and from fixed point and the packing of integers. They leave a rest to plain Go: what
// comes without multiply-adds is fast enough there.
func fixed(a *asm) {
	fixedAccumulate(a, "fixedAccumulateAVX2", "grad")
	fixedAccumulate(a, "fixedAccumulatePairAVX2", "first", "second")
	fixedToFloat(a)
	packBits(a)
	packInts(a)
	unpackInts(a, "unpackAVX2", false)
	unpackInts(a, "unpackAddAVX2", true)
}

// hand begins a function that is not made from a loop.
func (a *asm) hand(name, decl string, size int) {
	a.text(name, size, decl)
	a.decls = append(a.decls, "func "+name+decl)
}

// fixedAccumulate does eight elements of one or two gradients at a time. n is a multiple of 8. What was in acc stays where
// the bits of keep are 1. A product with a power of two is exact, so that it may be fused with the addition that rounds.
func fixedAccumulate(a *asm, name string, grads ...string) {
	list, from, at := "", []string{"SI", "BX"}, 8*(len(grads)+1)
	for _, g := range grads {
		list += ", " + g + " *float32"
	}
	a.hand(name, "(acc *int64"+list+", n int, factor float64, keep uint64) (maxAbsBits uint32)", at+28)
	a.op("MOVQ", "acc+0(FP)", "DI")
	for i, g := range grads {
		a.op("MOVQ", fmt.Sprintf("%s+%d(FP)", g, 8*(i+1)), from[i])
	}
	a.op("MOVQ", fmt.Sprintf("n+%d(FP)", at), "CX")
	a.op("VBROADCASTSD", fmt.Sprintf("factor+%d(FP)", at+8), "Y15")
	a.op("VBROADCASTSD", fmt.Sprintf("keep+%d(FP)", at+16), "Y11")
	const magic = 0x4338000000000000
	a.op("VMOVUPS", a.constant64(magic), "Y14")
	a.op("VMOVDQU", "Y14", "Y10") // as often as there are gradients
	for range grads[1:] {
		a.op("VPADDQ", "Y14", "Y10", "Y10")
	}
	a.op("VMOVUPS", a.constant(0x7fffffff), "Y13")
	a.op("VPXOR", "Y12", "Y12", "Y12")
	loop, done := a.label("loop"), a.label("done")
	a.at(loop)
	a.op("SUBQ", "$8", "CX")
	a.op("JLT", done)
	for h := range 2 {
		a.op("VPAND", mem(32*h, "DI"), "Y11", y(h))
		a.op("VPSUBQ", "Y10", y(h), y(h))
		for i := range grads {
			a.op("VCVTPS2PD", mem(16*h, from[i]), y(2+i))
			a.op("VFMADD213PD", "Y14", "Y15", y(2+i))
			a.op("VPADDQ", y(2+i), y(h), y(h))
		}
		a.op("VMOVDQU", y(h), mem(32*h, "DI"))
	}
	for i := range grads {
		a.op("VPAND", mem(0, from[i]), "Y13", y(4+i))
		a.op("VPMAXUD", y(4+i), "Y12", "Y12")
		a.op("ADDQ", "$32", from[i])
	}
	a.op("ADDQ", "$64", "DI")
	a.op("JMP", loop)
	a.at(done)
	a.fold("VPMAXUD", "Y12")
	a.op("VMOVD", "X12", "AX")
	a.op("MOVL", "AX", fmt.Sprintf("maxAbsBits+%d(FP)", at+24))
	a.op("VZEROUPPER")
	a.op("RET")
}

// fixedToFloat does eight elements at a time where all of them are of 52 bits, with the sign: 1.5 * 2^52 plus such an
// integer has it in its mantissa, and the fused product and difference leave it alone. Others go by four.
func fixedToFloat(a *asm) {
	a.hand("fixedToFloatAVX2", "(dst *float32, acc *int64, n int, factor float64)", 32)
	a.op("MOVQ", "dst+0(FP)", "DI")
	a.op("MOVQ", "acc+8(FP)", "SI")
	a.op("MOVQ", "n+16(FP)", "CX")
	a.op("VBROADCASTSD", "factor+24(FP)", "Y15")
	for i, c := range []uint64{1 << 53, 1<<11 - 1, 1 << 10, 0x4330000000000000, 0x4530000080000000, 0x4530000080100000} {
		a.op("VMOVUPS", a.constant64(c), y(14-i))
	}
	a.op("VPXOR", "Y8", "Y8", "Y8")
	a.op("VMOVUPS", a.constant64(1<<51), "Y7")
	a.op("VMOVUPS", a.constant64(0xfff0000000000000), "Y6")
	a.op("VMULPD", a.constant64(0x4338000000000000), "Y15", "Y5")
	loop, four, done := a.label("loop"), a.label("four"), a.label("done")
	a.at(loop)
	a.op("CMPQ", "CX", "$8")
	a.op("JLT", four)
	a.op("VPADDQ", mem(0, "SI"), "Y7", "Y0")
	a.op("VPADDQ", mem(32, "SI"), "Y7", "Y1")
	a.op("VPOR", "Y0", "Y1", "Y2")
	a.op("VPTEST", "Y6", "Y2")
	a.op("JNE", four)
	for h := range 2 {
		a.op("VPOR", "Y11", y(h), y(h))
		a.op("VFMSUB213PD", "Y5", "Y15", y(h))
		a.op("VCVTPD2PSY", y(h), x(h))
		a.op("VMOVUPS", x(h), mem(16*h, "DI"))
	}
	a.op("ADDQ", "$64", "SI")
	a.op("ADDQ", "$32", "DI")
	a.op("SUBQ", "$8", "CX")
	a.op("JMP", loop)
	a.at(four)
	a.op("SUBQ", "$4", "CX")
	a.op("JLT", done)
	a.longToFloat()
	a.op("ADDQ", "$32", "SI")
	a.op("ADDQ", "$16", "DI")
	a.op("JMP", loop)
	a.at(done)
	a.op("VZEROUPPER")
	a.op("RET")
}

// longToFloat does four elements of any size. A number with more than 53 bits loses the last 11 of them for one that says
// whether they were all 0; then it is a float64 exactly: its upper and lower halves are set into the mantissas of numbers
// of a fixed size, whose difference is the number.
func (a *asm) longToFloat() {
	a.op("VMOVDQU", mem(0, "SI"), "Y0")
	a.op("VPADDQ", "Y14", "Y0", "Y1")
	a.op("VPSRLQ", "$54", "Y1", "Y1")
	a.op("VPCMPEQQ", "Y8", "Y1", "Y1") // short enough
	a.op("VPAND", "Y13", "Y0", "Y2")
	a.op("VPCMPEQQ", "Y8", "Y2", "Y2") // or nothing to lose
	a.op("VPOR", "Y2", "Y1", "Y1")
	a.op("VPANDN", "Y0", "Y13", "Y3")
	a.op("VPOR", "Y12", "Y3", "Y3")
	a.op("VBLENDVPD", "Y1", "Y0", "Y3", "Y0")
	a.op("VPBLENDD", "$0x55", "Y0", "Y11", "Y1") // 2^52 + lower half
	a.op("VPSRLQ", "$32", "Y0", "Y2")
	a.op("VPXOR", "Y10", "Y2", "Y2") // 2^84 + 2^63 + upper half
	a.op("VSUBPD", "Y9", "Y2", "Y2")
	a.op("VADDPD", "Y1", "Y2", "Y2")
	a.op("VMULPD", "Y15", "Y2", "Y2")
	a.op("VCVTPD2PSY", "Y2", "X2")
	a.op("VMOVUPS", "X2", mem(0, "DI"))
}

// packBits returns which bits differ from the sign bit in any of n integers, a multiple of 4.
func packBits(a *asm) {
	a.hand("packBitsAVX2", "(src *int64, n int) uint64", 24)
	a.op("MOVQ", "src+0(FP)", "SI")
	a.op("MOVQ", "n+8(FP)", "CX")
	a.op("VPXOR", "Y3", "Y3", "Y3")
	a.op("VPXOR", "Y2", "Y2", "Y2")
	loop, done := a.label("loop"), a.label("done")
	a.at(loop)
	a.op("SUBQ", "$4", "CX")
	a.op("JLT", done)
	a.op("VMOVDQU", mem(0, "SI"), "Y0")
	a.op("VPCMPGTQ", "Y0", "Y3", "Y1")
	a.op("VPXOR", "Y0", "Y1", "Y1")
	a.op("VPOR", "Y1", "Y2", "Y2")
	a.op("ADDQ", "$32", "SI")
	a.op("JMP", loop)
	a.at(done)
	a.op("VEXTRACTI128", "$1", "Y2", "X1")
	a.op("VPOR", "X1", "X2", "X2")
	a.op("VPSHUFD", "$0xee", "X2", "X1")
	a.op("VPOR", "X1", "X2", "X2")
	a.op("VMOVQ", "X2", "AX")
	a.op("MOVQ", "AX", "ret+16(FP)")
	a.op("VZEROUPPER")
	a.op("RET")
}

// packInts packs groups of four integers. Each pair of them takes a store of 16 bytes, of which the next one overwrites
// what is too much.
func packInts(a *asm) {
	a.hand("packAVX2", "(dst *byte, src *int64, groups, width int, shuffle *[32]byte)", 40)
	a.op("MOVQ", "dst+0(FP)", "DI")
	a.op("MOVQ", "src+8(FP)", "SI")
	loop, done := groupLoop(a)
	a.op("VMOVDQU", mem(0, "SI"), "Y0")
	a.op("VPSHUFB", "Y15", "Y0", "Y0")
	a.op("VEXTRACTI128", "$1", "Y0", "X1")
	a.op("VMOVDQU", "X0", mem(0, "DI"))
	a.op("VMOVDQU", "X1", mem(0, "DI", "DX", "2"))
	a.op("LEAQ", mem(0, "DI", "DX", "4"), "DI")
	a.op("ADDQ", "$32", "SI")
	a.op("JMP", loop)
	a.at(done)
	a.op("VZEROUPPER")
	a.op("RET")
}

// groupLoop begins the loop over groups of four; DX is the width, Y15 the shuffle.
func groupLoop(a *asm) (loop, done string) {
	a.op("MOVQ", "groups+16(FP)", "CX")
	a.op("MOVQ", "width+24(FP)", "DX")
	a.op("MOVQ", "shuffle+32(FP)", "AX")
	a.op("VMOVDQU", mem(0, "AX"), "Y15")
	loop, done = a.label("loop"), a.label("done")
	a.at(loop)
	a.op("DECQ", "CX")
	a.op("JLT", done)
	return loop, done
}

// unpackInts is the inverse. (x ^ sign) - sign extends the sign; sign is 1 << (8*width - 1).
func unpackInts(a *asm, name string, add bool) {
	a.hand(name, "(dst *int64, src *byte, groups, width int, shuffle *[32]byte, sign uint64)", 48)
	a.op("MOVQ", "dst+0(FP)", "DI")
	a.op("MOVQ", "src+8(FP)", "SI")
	a.op("VPBROADCASTQ", "sign+40(FP)", "Y14")
	loop, done := groupLoop(a)
	a.op("VMOVDQU", mem(0, "SI"), "X0")
	a.op("VINSERTI128", "$1", mem(0, "SI", "DX", "2"), "Y0", "Y0")
	a.op("VPSHUFB", "Y15", "Y0", "Y0")
	a.op("VPXOR", "Y14", "Y0", "Y0")
	a.op("VPSUBQ", "Y14", "Y0", "Y0")
	if add {
		a.op("VPADDQ", mem(0, "DI"), "Y0", "Y0")
	}
	a.op("VMOVDQU", "Y0", mem(0, "DI"))
	a.op("LEAQ", mem(0, "SI", "DX", "4"), "SI")
	a.op("ADDQ", "$32", "DI")
	a.op("JMP", loop)
	a.at(done)
	a.op("VZEROUPPER")
	a.op("RET")
}

// constant64 returns the address of a vector with one 64-bit number in every lane.
func (a *asm) constant64(bits uint64) string {
	name := fmt.Sprintf("q%016x<>", bits)
	data := ""
	for i := range 4 {
		data += fmt.Sprintf("DATA %s+%d(SB)/8, $0x%016x\n", name, 8*i, bits)
	}
	if strings.Contains(a.data.String(), data) {
		return name + "(SB)"
	}
	a.data.WriteString(data)
	fmt.Fprintf(&a.data, "GLOBL %s(SB), RODATA|NOPTR, $32\n", name)
	return name + "(SB)"
}
