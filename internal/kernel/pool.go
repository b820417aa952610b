package kernel

import (
	"math"
	"unsafe"
)

// view is the part of one window that lies inside the image.
type view struct {
	at     int // its first pixel, over all images
	kh, kw int // its size
}

// eachView calls f for every window of n images in order. It panics at a window that is all padding.
func (w *Window) eachView(n int, f func(p int, v view)) {
	p := 0
	for img := range n {
		for oh := range w.OutH {
			top, kh := inside(oh*w.StrideH-w.Top, w.KH, w.H)
			for ow := range w.OutW {
				left, kw := inside(ow*w.StrideW-w.Left, w.KW, w.W)
				if kh == 0 || kw == 0 {
					panic("kernel: pooling of padding")
				}
				f(p, view{(img*w.H+top)*w.W + left, kh, kw})
				p++
			}
		}
	}
}

// inside cuts [at, at+size) to [0, limit).
func inside(at, size, limit int) (from, length int) {
	from = max(at, 0)
	return from, max(0, min(at+size, limit)-from)
}

// checkPool panics if a pooling's slices are too short, or its windows have gaps or nothing inside the image.
func (w *Window) checkPool(x, y, n, c int) {
	if w.DilationH != 1 || w.DilationW != 1 {
		panic("kernel: pooling with dilation")
	}
	if x < n*w.H*w.W*c || y < n*w.Positions()*c {
		panic("kernel: slice of a pooling is too short")
	}
	if x > math.MaxInt32 {
		panic("kernel: too many elements for the indices of a pooling")
	}
}

// MaxPool computes the largest value of each window and channel of n images x [n, H, W, c], and its index in x: the first
// one if several are equal. Padding never wins. A NaN wins. There is no dilation.
//
//	y[p,i], arg[p,i] = x[at,i], at*c + i for the first pixel at of window p
//	for its other pixels at, in order {
//		if v := x[at,i]; v > y[p,i] || v is NaN { y[p,i], arg[p,i] = v, at*c + i }
//	}
func MaxPool(y []float32, arg []int32, x []float32, n, c int, w *Window) {
	w.checkPool(len(x), min(len(y), len(arg)), n, c)
	w.eachView(n, func(p int, v view) {
		out, idx := y[p*c:(p+1)*c], arg[p*c:(p+1)*c]
		if useAVX2 {
			maxPoolAVX2(unsafe.SliceData(out), unsafe.SliceData(idx), &x[v.at*c], c, v.kh, v.kw, 4*w.W*c, v.at*c, w.W*c)
			return
		}
		maxPoolGo(out, idx, x, w.W, v)
	})
}

func maxPoolGo(y []float32, arg []int32, x []float32, width int, v view) {
	c := len(y)
	copy(y, x[v.at*c:])
	for i := range arg {
		arg[i] = int32(v.at*c + i)
	}
	for r := range v.kh {
		for at := (v.at + r*width) * c; at < (v.at+r*width+v.kw)*c; at += c {
			for i, u := range x[at : at+c] {
				if u > y[i] || u != u {
					y[i], arg[i] = u, int32(at+i)
				}
			}
		}
	}
}

// MaxPoolGrad computes the gradient of MaxPool with respect to x, from the indices that it found.
//
//	dst = 0; for i := range dy { dst[arg[i]] += dy[i] }
func MaxPoolGrad(dst, dy []float32, arg []int32) {
	clear(dst)
	arg = upTo(arg, len(dy))
	for i, v := range dy {
		dst[arg[i]] += v
	}
}

// AvgPool computes the mean of each window and channel of n images x [n, H, W, c]. Padding is not counted. There is no
// dilation.
//
//	y[p,i] = 0; for pixels at of window p, in order { y[p,i] += x[at,i] }
//	y[p,i] /= number of pixels
func AvgPool(y, x []float32, n, c int, w *Window) {
	w.checkPool(len(x), len(y), n, c)
	w.eachView(n, func(p int, v view) {
		out, count := y[p*c:(p+1)*c], float32(v.kh*v.kw)
		if useAVX2 {
			avgPoolAVX2(unsafe.SliceData(out), &x[v.at*c], c, v.kh, v.kw, 4*w.W*c, count)
			return
		}
		clear(out)
		for r := range v.kh {
			for at := (v.at + r*w.W) * c; at < (v.at+r*w.W+v.kw)*c; at += c {
				Add(out, out, x[at:at+c])
			}
		}
		for i := range out {
			out[i] /= count
		}
	})
}

// AvgPoolGrad computes the gradient of AvgPool with respect to x.
//
//	dst = 0; for windows p and their pixels at, in order { dst[at,i] += dy[p,i] / number of pixels }
func AvgPoolGrad(dst, dy []float32, n, c int, w *Window) {
	w.checkPool(len(dst), len(dy), n, c)
	clear(upTo(dst, n*w.H*w.W*c))
	w.eachView(n, func(p int, v view) {
		g, count := dy[p*c:(p+1)*c], float32(v.kh*v.kw)
		if useAVX2 {
			avgPoolGradAVX2(&dst[v.at*c], unsafe.SliceData(g), c, v.kh, v.kw, 4*w.W*c, count)
			return
		}
		for r := range v.kh {
			for at := (v.at + r*w.W) * c; at < (v.at+r*w.W+v.kw)*c; at += c {
				for i, u := range g {
					dst[at+i] += u / count
				}
			}
		}
	})
}
