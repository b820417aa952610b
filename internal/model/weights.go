package model

import "lockstep/internal/kernel"

// packSpec is a k x n matrix in the parameters that products read: the part of parameter param that starts at element
// off, rows ld apart; transposed if trans (then it is stored n x k).
type packSpec struct {
	param, off int
	trans      bool
	k, n, ld   int
}

// Weights is one parameter vector made ready for the kernels. Load it once a step; between loads any number of
// passes may read it at the same time.
type Weights struct {
	net    *Network
	params []float32
	packs  []kernel.Packed
}

// PackedBytes is the memory of the matrices that Weights keeps packed for the kernels.
func (n *Network) PackedBytes() int {
	floats := 0
	for _, s := range n.packs {
		floats += s.k * s.n
	}
	return 4 * floats
}

// NewWeights returns Weights without values: call Load first.
func (n *Network) NewWeights() *Weights {
	return &Weights{net: n, packs: make([]kernel.Packed, len(n.packs))}
}

// Load takes the parameter vector params (Size floats). It keeps params, which must stay as it is for as long as
// passes use the Weights.
func (w *Weights) Load(params []float32) {
	w.LoadOn(func(n int, do func(i int)) {
		for i := range n {
			do(i)
		}
	}, params)
}

// LoadOn is Load with its work spread by run, which calls do once for each i from 0 to n-1, on any goroutines, and
// returns when all are done.
func (w *Weights) LoadOn(run func(n int, do func(i int)), params []float32) {
	w.params = params[:w.net.size]
	run(len(w.packs), func(i int) {
		s := w.net.packs[i]
		p := &w.net.params[s.param]
		w.packs[i].Pack(s.trans, s.k, s.n, params[p.Off+s.off:p.Off+p.Len], s.ld)
	})
}

// linear is a product with a parameter, y = x*W, W being k x n in place of a kernel.
type linear struct {
	k, n    int
	ld, off int
	kernel  int // the parameter
	fwd     int // the pack of W
	bwd     int // the pack of its transpose; -1 if nobody wants the gradient of x
}

// linear sets up products with the whole of parameter i, k x n, or with n of its ld columns from off on.
func (b *builder) linear(i, k, n, ld, off int, dx bool) linear {
	l := linear{k: k, n: n, ld: ld, off: off, kernel: i, bwd: -1}
	l.fwd = b.pack(packSpec{param: i, off: off, k: k, n: n, ld: ld})
	if dx {
		l.bwd = b.pack(packSpec{param: i, off: off, trans: true, k: n, n: k, ld: ld})
	}
	return l
}

// apply: y [m x n, rows ldy apart] = x [m x k, rows ldx apart] * W, added to what is there with accumulate.
func (l *linear) apply(c *call, m int, y []float32, ldy int, x []float32, ldx int, accumulate bool) {
	kernel.GemmPacked(false, m, x, ldx, &c.w.packs[l.fwd], accumulate, y, ldy, c.ws)
}

// inputGrad: dx [m x k] = dy [m x n] * W', added to what is there with accumulate.
func (l *linear) inputGrad(c *call, m int, dx []float32, ldx int, dy []float32, ldy int, accumulate bool) {
	kernel.GemmPacked(false, m, dy, ldy, &c.w.packs[l.bwd], accumulate, dx, ldx, c.ws)
}

// weightGrad: dW = x' * dy over m rows, into the parameter's gradient; nothing if it is frozen.
func (l *linear) weightGrad(c *call, m int, x []float32, ldx int, dy []float32, ldy int, accumulate bool) {
	if g := c.paramGrad(l.kernel); g != nil {
		kernel.Gemm(true, false, l.k, l.n, m, x, ldx, dy, ldy, accumulate, g[l.off:], l.ld, c.ws)
	}
}

// biasGrad: db = the sum of dy's rows, into the gradient of parameter i; nothing if it is frozen.
func biasGrad(c *call, i int, dy []float32) {
	if g := c.paramGrad(i); g != nil {
		kernel.SumRows(g, dy, false)
	}
}
