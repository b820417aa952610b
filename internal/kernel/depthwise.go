package kernel

import "unsafe"

// depthwise tells whether every channel is a group with one filter. Then the channels are the lanes, and there is no matrix
// product. The bits are those of the matrix product, which takes padding as 0.
func (g *Conv) depthwise() bool {
	return g.Groups > 1 && g.Groups == g.Channels && g.Groups == g.Filters
}

// patch is the part of one window that lies inside the image: the first pixel, in pixels over all images, the first tap,
// and the number of taps.
type patch struct{ pixel, tap, kh, kw int }

// eachPatch calls f for every window of n images in order, but not for those that are all padding.
func (g *Conv) eachPatch(n int, f func(p int, q patch)) {
	for p := range n * g.Positions() {
		img, oh, ow := p/g.Positions(), p%g.Positions()/g.OutW, p%g.OutW
		y, x := oh*g.StrideH-g.Top, ow*g.StrideW-g.Left
		tapY, kh := insideTaps(y, g.KH, g.DilationH, g.H)
		tapX, kw := insideTaps(x, g.KW, g.DilationW, g.W)
		if kh > 0 && kw > 0 {
			f(p, patch{(img*g.H+y+tapY*g.DilationH)*g.W + x + tapX*g.DilationW, tapY*g.KW + tapX, kh, kw})
		}
	}
}

// insideTaps returns the first tap of a line whose position is in [0, limit), and how many there are.
func insideTaps(at, taps, dilation, limit int) (first, count int) {
	if at < 0 {
		first = (-at + dilation - 1) / dilation
	}
	end := min(taps, (limit-at+dilation-1)/dilation)
	return first, max(0, end-first)
}

// run computes one window by vectors.
func (q patch) run(f func(y, x, kernel *float32, c, kh, kw, xTap, xLine, kLine int), y, x, kernel []float32, g *Conv) {
	c := g.Channels
	f(unsafe.SliceData(y), &x[q.pixel*c], &kernel[q.tap*c], c, q.kh, q.kw,
		4*g.DilationW*c, 4*(g.DilationH*g.W-q.kw*g.DilationW)*c, 4*(g.KW-q.kw)*c)
}

// each calls f with the offsets in x and the kernel of each tap, in order.
func (q patch) each(g *Conv, f func(x, kernel int)) {
	for r := range q.kh {
		for s := range q.kw {
			f((q.pixel+r*g.DilationH*g.W+s*g.DilationW)*g.Channels, (q.tap+r*g.KW+s)*g.Channels)
		}
	}
}

func (g *Conv) depthwiseForward(y, x, kernel []float32, n int) {
	c := g.Channels
	clear(upTo(y, n*g.Positions()*c))
	g.eachPatch(n, func(p int, q patch) {
		out := y[p*c : (p+1)*c]
		if useAVX2 {
			q.run(depthwiseAVX2, out, x, kernel, g)
			return
		}
		q.each(g, func(at, tap int) {
			for i := range out {
				out[i] = fma(x[at+i], kernel[tap+i], out[i])
			}
		})
	})
}

func (g *Conv) depthwiseGradKernel(dst, dy, x []float32, n int) {
	c := g.Channels
	g.eachPatch(n, func(p int, q patch) {
		d := dy[p*c : (p+1)*c]
		if useAVX2 {
			q.run(depthwiseGradKernelAVX2, d, x, dst, g)
			return
		}
		q.each(g, func(at, tap int) {
			for i, v := range d {
				dst[tap+i] = fma(x[at+i], v, dst[tap+i])
			}
		})
	})
}

func (g *Conv) depthwiseGradInput(dst, dy, kernel []float32, n int) {
	c := g.Channels
	g.eachPatch(n, func(p int, q patch) {
		d := dy[p*c : (p+1)*c]
		if useAVX2 {
			q.run(depthwiseGradInputAVX2, d, dst, kernel, g)
			return
		}
		q.each(g, func(at, tap int) {
			for i, v := range d {
				dst[at+i] += float32(v * kernel[tap+i])
			}
		})
	})
}
