package kernel

// Conv is the geometry of a two-dimensional convolution (cross-correlation, without a flip) over NHWC images:
//
//	x [n, H, W, Channels], kernel [KH, KW, Channels/Groups, Filters], y [n, OutH, OutW, Filters]
//
// Output channel f belongs to group f / (Filters/Groups) and sees the Channels/Groups input channels of that group.
type Conv struct {
	Window
	Channels, Filters, Groups int
}

// depth returns the length of a window's row: taps times channels of a group.
func (g *Conv) depth() int { return g.KH * g.KW * g.Channels / g.Groups }

func (g *Conv) check(n int, x, kernel, y []float32) {
	switch {
	case g.Groups <= 0 || g.Channels%g.Groups != 0 || g.Filters%g.Groups != 0:
		panic("kernel: groups do not divide the channels")
	case len(x) < n*g.H*g.W*g.Channels || len(kernel) < g.depth()*g.Filters || len(y) < n*g.Positions()*g.Filters:
		panic("kernel: slice of a convolution is too short")
	}
}

// colBlock is the number of float32 of window rows that are made at a time: half of a small L2 cache.
const colBlock = 32 << 10

// block returns how many positions are made at a time.
func (g *Conv) block() int { return max(1, min(g.Positions(), colBlock/g.depth())) }

// Conv2D computes a convolution of n images: the product of the window rows and the kernel.
//
//	y[p,f] = acc over d ascending from 0: fma(col[p,d], kernel[d,f], acc)    d = (kh, kw, channel of the group)
func Conv2D(y, x, kernel []float32, n int, g *Conv, ws *Workspace) {
	g.check(n, x, kernel, y)
	if g.depthwise() {
		g.depthwiseForward(y, x, kernel, n)
		return
	}
	c, f, depth := g.Channels/g.Groups, g.Filters/g.Groups, g.depth()
	for gr := range g.Groups {
		ws.packed.Pack(false, depth, f, kernel[gr*f:], g.Filters)
		g.eachBlock(n, ws, func(img, from, to int, col []float32) {
			Im2col(col, x[img*g.H*g.W*g.Channels:], g.Channels, gr*c, c, &g.Window, from, to)
			GemmPacked(false, to-from, col, depth, &ws.packed, false, y[(img*g.Positions()+from)*g.Filters+gr*f:], g.Filters, ws)
		})
	}
}

// Conv2DGradKernel computes the gradient of Conv2D with respect to the kernel.
//
//	dst[d,f] = acc over all positions p of all n images, in order, from 0: fma(col[p,d], dy[p,f], acc)
func Conv2DGradKernel(dst, dy, x []float32, n int, g *Conv, ws *Workspace) {
	g.check(n, x, dst, dy)
	c, f, depth := g.Channels/g.Groups, g.Filters/g.Groups, g.depth()
	clear(upTo(dst, depth*g.Filters))
	if g.depthwise() {
		g.depthwiseGradKernel(dst, dy, x, n)
		return
	}
	for gr := range g.Groups {
		g.eachBlock(n, ws, func(img, from, to int, col []float32) {
			Im2col(col, x[img*g.H*g.W*g.Channels:], g.Channels, gr*c, c, &g.Window, from, to)
			Gemm(true, false, depth, f, to-from, col, depth, dy[(img*g.Positions()+from)*g.Filters+gr*f:], g.Filters,
				true, dst[gr*f:], g.Filters, ws)
		})
	}
}

// Conv2DGradInput computes the gradient of Conv2D with respect to x: also the transposed convolution.
//
//	dcol[p,d] = acc over f ascending from 0: fma(dy[p,f], kernel[d,f], acc)
//	dst = 0; Col2im(dst, dcol)
func Conv2DGradInput(dst, dy, kernel []float32, n int, g *Conv, ws *Workspace) {
	g.check(n, dst, kernel, dy)
	c, f, depth := g.Channels/g.Groups, g.Filters/g.Groups, g.depth()
	clear(upTo(dst, n*g.H*g.W*g.Channels))
	if g.depthwise() {
		g.depthwiseGradInput(dst, dy, kernel, n)
		return
	}
	for gr := range g.Groups {
		ws.packed.Pack(true, f, depth, kernel[gr*f:], g.Filters)
		g.eachBlock(n, ws, func(img, from, to int, col []float32) {
			GemmPacked(false, to-from, dy[(img*g.Positions()+from)*g.Filters+gr*f:], g.Filters, &ws.packed, false, col, depth, ws)
			Col2im(dst[img*g.H*g.W*g.Channels:], col, g.Channels, gr*c, c, &g.Window, from, to)
		})
	}
}

// eachBlock calls f for successive blocks of positions of n images, with room for their window rows.
func (g *Conv) eachBlock(n int, ws *Workspace, f func(img, from, to int, col []float32)) {
	size := g.block()
	ws.col = grow(ws.col, size*g.depth())
	for img := range n {
		for from := 0; from < g.Positions(); from += size {
			f(img, from, min(from+size, g.Positions()), ws.col)
		}
	}
}
