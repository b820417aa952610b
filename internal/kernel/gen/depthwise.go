package main

import "fmt"

// depthwise writes the depthwise convolution of one window and its gradients, over the taps inside the image: kh lines of
// kw taps of c channels. A tap is xTap bytes from the next one in x and 4*c in the kernel; the end of a line of taps is
// xLine and kLine bytes from the next one.
//
//	depthwiseAVX2:           for taps { y = fma(x[tap], kernel[tap], y) }, y from 0
//	depthwiseGradKernelAVX2: for taps { kernel[tap] = fma(x[tap], y, kernel[tap]) }
//	depthwiseGradInputAVX2:  for taps { x[tap] += y * kernel[tap] }
func depthwise(a *asm) {
	for i, name := range []string{"depthwiseAVX2", "depthwiseGradKernelAVX2", "depthwiseGradInputAVX2"} {
		(&window{a, i}).write(name)
	}
	a.maskTable("tail")
}

type window struct {
	*asm
	kind int // 0: y, 1: kernel, 2: x is computed
}

const (
	wY, wX, wK             = "DI", "SI", "DX"
	wC, wKH, wKW           = "R8", "R9", "R10"
	wXTap, wXLine, wKLine  = "R11", "R12", "R13"
	wAtX, wAtK, wRow, wTap = "AX", "BX", "CX", "R14"
)

func (w *window) write(name string) {
	params := []string{"y", "x", "kernel", "c", "kh", "kw", "xTap", "xLine", "kLine"}
	w.hand(name, "(y, x, kernel *float32, c, kh, kw, xTap, xLine, kLine int)", 72)
	for i, r := range []string{wY, wX, wK, "R15", wKH, wKW, wXTap, wXLine, wKLine} {
		w.op("MOVQ", fmt.Sprintf("%s+%d(FP)", params[i], 8*i), r)
	}
	w.op("LEAQ", "(R15*4)", wC)
	again, part, done := w.label("channels"), w.label("part"), w.label("done")
	w.at(again)
	w.op("SUBQ", "$8", "R15")
	w.op("JLT", part)
	w.block(false)
	for _, r := range []string{wY, wX, wK} {
		w.op("ADDQ", "$32", r)
	}
	w.op("JMP", again)
	w.at(part)
	w.op("ADDQ", "$8", "R15")
	w.op("JEQ", done)
	w.mask("tail", "R15", 0, yTail, wAtX, wAtK)
	w.block(true)
	w.at(done)
	w.op("VZEROUPPER")
	w.op("RET")
}

// block does eight channels.
func (w *window) block(masked bool) {
	row, tap := w.label("row"), w.label("tap")
	if w.kind == 0 {
		w.op("VXORPS", "Y0", "Y0", "Y0")
	} else {
		w.vector("load", wY, "Y0", masked)
	}
	w.op("MOVQ", wX, wAtX)
	w.op("MOVQ", wK, wAtK)
	w.op("MOVQ", wKH, wRow)
	w.at(row)
	w.op("MOVQ", wKW, wTap)
	w.at(tap)
	w.vector("load", wAtX, "Y1", masked)
	w.vector("load", wAtK, "Y2", masked)
	switch w.kind {
	case 0:
		w.op("VFMADD231PS", "Y1", "Y2", "Y0")
	case 1:
		w.op("VFMADD231PS", "Y1", "Y0", "Y2")
		w.vector("store", wAtK, "Y2", masked)
	case 2:
		w.op("VMULPS", "Y0", "Y2", "Y2")
		w.op("VADDPS", "Y2", "Y1", "Y1")
		w.vector("store", wAtX, "Y1", masked)
	}
	w.op("ADDQ", wXTap, wAtX)
	w.op("ADDQ", wC, wAtK)
	w.op("DECQ", wTap)
	w.op("JNE", tap)
	w.op("ADDQ", wXLine, wAtX) // from the end of this line to the next one
	w.op("ADDQ", wKLine, wAtK)
	w.op("DECQ", wRow)
	w.op("JNE", row)
	if w.kind == 0 {
		w.vector("store", wY, "Y0", masked)
	}
}

// vector loads or stores a register.
func (w *window) vector(what, at, reg string, masked bool) {
	switch {
	case what == "load" && masked:
		w.op("VMASKMOVPS", mem(0, at), y(yTail), reg)
	case what == "load":
		w.op("VMOVUPS", mem(0, at), reg)
	case masked:
		w.op("VMASKMOVPS", reg, y(yTail), mem(0, at))
	default:
		w.op("VMOVUPS", reg, mem(0, at))
	}
}
