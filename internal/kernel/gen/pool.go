package main

import "fmt"

// pool writes the poolings of one window, over its pixels inside the image: kh rows of kw pixels of c channels, the rows
// rowBytes apart.
func pool(a *asm) {
	for _, p := range []*pooling{
		{asm: a, name: "maxPoolAVX2", params: []string{"dst", "arg", "x", "c", "kh", "kw", "rowBytes", "first", "rowStep"},
			decl: "(dst *float32, arg *int32, x *float32, c, kh, kw, rowBytes, first, rowStep int)", kind: poolMax},
		{asm: a, name: "avgPoolAVX2", params: []string{"dst", "x", "c", "kh", "kw", "rowBytes"},
			decl: "(dst, x *float32, c, kh, kw, rowBytes int, count float32)", kind: poolAvg},
		{asm: a, name: "avgPoolGradAVX2", params: []string{"dst", "dy", "c", "kh", "kw", "rowBytes"},
			decl: "(dst, dy *float32, c, kh, kw, rowBytes int, count float32)", kind: poolGrad},
	} {
		p.write()
	}
	fmt.Fprint(&a.data, "DATA iota<>+0(SB)/8, $0x100000000\nDATA iota<>+8(SB)/8, $0x300000002\n"+
		"DATA iota<>+16(SB)/8, $0x500000004\nDATA iota<>+24(SB)/8, $0x700000006\nGLOBL iota<>(SB), RODATA|NOPTR, $32\n")
	a.maskTable("tail")
}

type poolKind int

const (
	poolMax  poolKind = iota // largest value and its index
	poolAvg                  // sum, divided by count
	poolGrad                 // adds dy/count to every pixel of dst
)

// pooling is one kernel. Eight channels at a time, it runs over the pixels.
type pooling struct {
	*asm
	name, decl string
	params     []string
	kind       poolKind
}

// Registers: the pointers to the window's first pixel and to the one side that has no pixels, sizes, and counters.
const (
	pIn, pOut, pArg            = "SI", "DI", "DX"
	pC, pKH, pKW, pRow         = "R8", "R9", "R10", "R11"
	pFirst, pStep              = "R12", "R13"
	pAtRow, pAt, pRows, pCount = "AX", "BX", "CX", "R14"
	pLeft                      = "R15" // channels to do
)

// Vectors.
const (
	pBest, pIndex, pAtIndex   = "Y0", "Y1", "Y2"
	pPixel, pMask, pNaN       = "Y3", "Y4", "Y5"
	pCountY, pStepC, pStepRow = "Y6", "Y7", "Y8"
)

func (p *pooling) write() {
	size := 8 * len(p.params)
	if p.kind != poolMax {
		size += 4
	}
	p.hand(p.name, p.decl, size)
	regs := map[string]string{"dst": pOut, "arg": pArg, "x": pIn, "dy": pOut, "c": pC, "kh": pKH, "kw": pKW, "rowBytes": pRow,
		"first": pFirst, "rowStep": pStep}
	if p.kind == poolGrad {
		regs["dst"] = pIn
	}
	for i, name := range p.params {
		p.op("MOVQ", fmt.Sprintf("%s+%d(FP)", name, 8*i), regs[name])
	}
	if p.kind == poolMax {
		p.op("VMOVD", pC, "X7")
		p.op("VPBROADCASTD", "X7", pStepC)
		p.op("VMOVD", pStep, "X8")
		p.op("VPBROADCASTD", "X8", pStepRow)
	} else {
		p.op("VBROADCASTSS", fmt.Sprintf("count+%d(FP)", 8*len(p.params)), pCountY)
	}
	again, part, done := p.label("channels"), p.label("part"), p.label("done")
	p.op("MOVQ", pC, pLeft)
	p.at(again)
	p.op("SUBQ", "$8", pLeft)
	p.op("JLT", part)
	p.block(false)
	for _, r := range []string{pIn, pOut, pArg} {
		p.op("ADDQ", "$32", r)
	}
	p.op("ADDQ", "$8", pFirst)
	p.op("JMP", again)
	p.at(part)
	p.op("ADDQ", "$8", pLeft)
	p.op("JEQ", done)
	p.mask("tail", pLeft, 0, yTail, pAtRow, pAt)
	p.block(true)
	p.at(done)
	p.op("VZEROUPPER")
	p.op("RET")
}

// block does eight channels.
func (p *pooling) block(masked bool) {
	p.begin(masked)
	row, pixel := p.label("row"), p.label("pixel")
	p.op("MOVQ", pIn, pAtRow)
	p.op("MOVQ", pKH, pRows)
	p.at(row)
	p.op("MOVQ", pAtRow, pAt)
	p.op("MOVQ", pKW, pCount)
	if p.kind == poolMax {
		p.op("VMOVDQA", pIndexRow, pAtIndex)
	}
	p.at(pixel)
	p.visit(masked)
	p.op("LEAQ", mem(0, pAt, pC, "4"), pAt)
	p.op("DECQ", pCount)
	p.op("JNE", pixel)
	p.op("ADDQ", pRow, pAtRow)
	if p.kind == poolMax {
		p.op("VPADDD", pStepRow, pIndexRow, pIndexRow)
	}
	p.op("DECQ", pRows)
	p.op("JNE", row)
	p.end(masked)
}

const pIndexRow = "Y9" // the indices of the row's first pixel

// begin sets up the accumulators.
func (p *pooling) begin(masked bool) {
	switch p.kind {
	case poolMax: // the first pixel, twice
		p.load(pIn, pBest, masked)
		p.op("VMOVD", pFirst, "X9")
		p.op("VPBROADCASTD", "X9", pIndexRow)
		p.op("VPADDD", "iota<>(SB)", pIndexRow, pIndexRow)
		p.op("VMOVDQA", pIndexRow, pIndex)
	case poolAvg:
		p.op("VXORPS", pBest, pBest, pBest)
	case poolGrad:
		p.load(pOut, pBest, masked)
		p.op("VDIVPS", pCountY, pBest, pBest)
	}
}

// visit takes one pixel.
func (p *pooling) visit(masked bool) {
	p.load(pAt, pPixel, masked)
	switch p.kind {
	case poolMax:
		p.op("VCMPPS", gt, pBest, pPixel, pMask)
		p.op("VCMPPS", "$0x03", pPixel, pPixel, pNaN)
		p.op("VORPS", pNaN, pMask, pMask)
		p.op("VBLENDVPS", pMask, pPixel, pBest, pBest)
		p.op("VBLENDVPS", pMask, pAtIndex, pIndex, pIndex)
		p.op("VPADDD", pStepC, pAtIndex, pAtIndex)
	case poolAvg:
		p.op("VADDPS", pPixel, pBest, pBest)
	case poolGrad:
		p.op("VADDPS", pPixel, pBest, pPixel)
		p.save(pPixel, pAt, masked)
	}
}

// end stores the accumulators.
func (p *pooling) end(masked bool) {
	switch p.kind {
	case poolMax:
		p.save(pBest, pOut, masked)
		p.save(pIndex, pArg, masked)
	case poolAvg:
		p.op("VDIVPS", pCountY, pBest, pBest)
		p.save(pBest, pOut, masked)
	}
}

func (p *pooling) load(at, reg string, masked bool) {
	if masked {
		p.op("VMASKMOVPS", mem(0, at), y(yTail), reg)
	} else {
		p.op("VMOVUPS", mem(0, at), reg)
	}
}

func (p *pooling) save(reg, at string, masked bool) {
	if masked {
		p.op("VMASKMOVPS", reg, y(yTail), mem(0, at))
	} else {
		p.op("VMOVUPS", reg, mem(0, at))
	}
}
