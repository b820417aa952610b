package kernel

import (
	"fmt"
	"math"
	"testing"
)

// poolReference is the definition of both poolings and their gradients, pixel by pixel.
func poolReference(x, dy []float32, n, c int, w *Window) (top []float32, arg []int32, mean, dtop, dmean []float32) {
	size := n * w.Positions() * c
	top, arg, mean = make([]float32, size), make([]int32, size), make([]float32, size)
	dtop, dmean = make([]float32, len(x)), make([]float32, len(x))
	for o := range size {
		p, i := o/c, o%c
		img, oh, ow := p/w.Positions(), p%w.Positions()/w.OutW, p%w.OutW
		var pixels []int
		for y := oh*w.StrideH - w.Top; y < oh*w.StrideH-w.Top+w.KH; y++ {
			for u := ow*w.StrideW - w.Left; u < ow*w.StrideW-w.Left+w.KW; u++ {
				if y >= 0 && y < w.H && u >= 0 && u < w.W {
					pixels = append(pixels, ((img*w.H+y)*w.W+u)*c+i)
				}
			}
		}
		arg[o] = int32(pixels[0])
		for _, at := range pixels {
			if x[at] > x[arg[o]] || x[at] != x[at] {
				arg[o] = int32(at)
			}
			mean[o] += x[at]
			dmean[at] += dy[o] / float32(len(pixels))
		}
		top[o] = x[arg[o]]
		mean[o] /= float32(len(pixels))
		dtop[arg[o]] += dy[o]
	}
	return top, arg, mean, dtop, dmean
}

func TestPooling(t *testing.T) {
	const n = 2
	for _, same := range []bool{false, true} {
		for _, k := range [][2]int{{2, 2}, {3, 2}, {1, 1}, {7, 6}} {
			for _, s := range [][2]int{{1, 1}, {2, 2}, {3, 1}} {
				for _, c := range []int{1, 3, 8, 11, 16} {
					w := NewWindow([2]int{7, 6}, k, s, [2]int{1, 1}, same)
					name := fmt.Sprintf("%+v of %d channels", w, c)
					x := random(n*w.H*w.W*c, 1)
					for i := range x { // equal numbers occur, and one NaN
						x[i] = float32(int(x[i]))
					}
					x[len(x)/3] = float32(math.NaN())
					dy := random(n*w.Positions()*c, 2)
					top, arg, mean, dtop, dmean := poolReference(x, dy, n, c, &w)
					y, idx, dx := make([]float32, len(dy)), make([]int32, len(dy)), make([]float32, len(x))
					MaxPool(y, idx, x, n, c, &w)
					sameBits(t, "MaxPool "+name, y, top)
					for i := range arg {
						if idx[i] != arg[i] {
							t.Fatalf("MaxPool %s: index %d is %d, want %d", name, i, idx[i], arg[i])
						}
					}
					MaxPoolGrad(dx, dy, idx)
					sameBits(t, "MaxPoolGrad "+name, dx, dtop)
					AvgPool(y, x, n, c, &w)
					sameBits(t, "AvgPool "+name, y, mean)
					AvgPoolGrad(dx, dy, n, c, &w)
					sameBits(t, "AvgPoolGrad "+name, dx, dmean)
				}
			}
		}
	}
}

func TestPoolingOfPadding(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	w := Window{H: 2, W: 2, KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Top: 1, OutH: 1, OutW: 1}
	AvgPool(make([]float32, 1), make([]float32, 4), 1, 1, &w)
}
