package kernel

// Window is the geometry of a two-dimensional sliding window, of a convolution or a pooling. NewWindow fills it in.
// Heights come before widths.
type Window struct {
	H, W             int // size of the input
	KH, KW           int // size of the kernel
	StrideH, StrideW int
	DilationH        int
	DilationW        int
	Top, Left        int // padding before the first row and column
	OutH, OutW       int // size of the output
}

// NewWindow returns the geometry for pairs [height, width]. Without same there is no padding. With same the output is
// ceil(input/stride), the padding is shared out evenly, and an odd row or column of it is at the bottom or the right.
// It panics if a size is not positive or the kernel is larger than an input without padding.
func NewWindow(input, kernel, stride, dilation [2]int, same bool) Window {
	outH, top := outputSize(input[0], kernel[0], stride[0], dilation[0], same)
	outW, left := outputSize(input[1], kernel[1], stride[1], dilation[1], same)
	return Window{H: input[0], W: input[1], KH: kernel[0], KW: kernel[1], StrideH: stride[0], StrideW: stride[1],
		DilationH: dilation[0], DilationW: dilation[1], Top: top, Left: left, OutH: outH, OutW: outW}
}

// outputSize returns the number of window positions along one axis, and the padding before the first.
func outputSize(size, kernel, stride, dilation int, same bool) (out, before int) {
	if size <= 0 || kernel <= 0 || stride <= 0 || dilation <= 0 {
		panic("kernel: window with a size that is not positive")
	}
	span := (kernel-1)*dilation + 1
	if same {
		out = (size + stride - 1) / stride
		return out, max((out-1)*stride+span-size, 0) / 2
	}
	if span > size {
		panic("kernel: window larger than its input")
	}
	return (size-span)/stride + 1, 0
}

// Positions returns the number of window positions of one image.
func (w *Window) Positions() int { return w.OutH * w.OutW }
