package kernel

import (
	"fmt"
	"testing"
)

// convCases cover padding, strides, dilation, groups and single channels.
func convCases() []Conv {
	var cases []Conv
	for _, same := range []bool{false, true} {
		for _, k := range [][2]int{{1, 1}, {3, 3}, {2, 3}, {5, 4}} {
			for _, s := range [][2]int{{1, 1}, {2, 1}, {2, 3}} {
				for _, d := range [][2]int{{1, 1}, {2, 1}, {1, 2}} {
					w := NewWindow([2]int{10, 9}, k, s, d, same)
					cases = append(cases, Conv{w, 1, 4, 1}, Conv{w, 3, 5, 1}, Conv{w, 16, 3, 1}, Conv{w, 4, 6, 2}, Conv{w, 3, 6, 3},
						Conv{w, 3, 3, 3}, Conv{w, 11, 11, 11})
				}
			}
		}
	}
	return cases
}

// taps calls f for each product of a convolution, in the order of Conv2D's chains, with the indices into y, x and the
// kernel; x is -1 in the padding.
func (g *Conv) taps(n int, f func(y, x, kernel int)) {
	c, filters := g.Channels/g.Groups, g.Filters/g.Groups
	for p := range n * g.Positions() {
		img, oh, ow := p/g.Positions(), p%g.Positions()/g.OutW, p%g.OutW
		for kh := range g.KH {
			for kw := range g.KW {
				y, x := oh*g.StrideH+kh*g.DilationH-g.Top, ow*g.StrideW+kw*g.DilationW-g.Left
				in := y >= 0 && y < g.H && x >= 0 && x < g.W
				for i := range c {
					for o := range g.Filters {
						at := -1
						if in {
							at = ((img*g.H+y)*g.W+x)*g.Channels + o/filters*c + i
						}
						f(p*g.Filters+o, at, ((kh*g.KW+kw)*c+i)*g.Filters+o)
					}
				}
			}
		}
	}
}

func TestConv2D(t *testing.T) {
	const n = 2
	ws := new(Workspace)
	for _, g := range convCases() {
		name := fmt.Sprintf("%+v", g)
		x, kernel := random(n*g.H*g.W*g.Channels, 1), random(g.depth()*g.Filters, 2)
		dy := random(n*g.Positions()*g.Filters, 3)
		at := func(i int) float32 {
			if i < 0 {
				return 0
			}
			return x[i]
		}
		y, want := make([]float32, len(dy)), make([]float32, len(dy))
		dk, wantK := make([]float32, len(kernel)), make([]float32, len(kernel))
		dx, exactX := make([]float32, len(x)), make([]float64, len(x))
		g.taps(n, func(o, i, k int) {
			want[o] = fma(at(i), kernel[k], want[o])
			wantK[k] = fma(at(i), dy[o], wantK[k])
			if i >= 0 {
				exactX[i] += float64(dy[o]) * float64(kernel[k])
			}
		})
		Conv2D(y, x, kernel, n, &g, ws)
		sameBits(t, "Conv2D "+name, y, want)
		Conv2DGradKernel(dk, dy, x, n, &g, ws)
		sameBits(t, "Conv2DGradKernel "+name, dk, wantK)
		Conv2DGradInput(dx, dy, kernel, n, &g, ws)
		for i, v := range exactX { // up to 120 products of up to 256, each half an ulp off
			near(t, "Conv2DGradInput "+name, dx[i], v, 1e-5, 2e-3)
		}
	}
}

// TestConv2DGradInputBits checks the order of the sums that it documents.
func TestConv2DGradInputBits(t *testing.T) {
	const n = 2
	ws := new(Workspace)
	for _, g := range convCases() {
		if g.Groups != 1 {
			continue
		}
		kernel, dy := random(g.depth()*g.Filters, 2), random(n*g.Positions()*g.Filters, 3)
		got, want := make([]float32, n*g.H*g.W*g.Channels), make([]float32, n*g.H*g.W*g.Channels)
		Conv2DGradInput(got, dy, kernel, n, &g, ws)
		col := make([]float32, n*g.Positions()*g.depth())
		gemmReference(false, true, n*g.Positions(), g.depth(), g.Filters, dy, g.Filters, kernel, g.Filters, false, col, g.depth())
		at := 0
		(&Conv{g.Window, g.Channels, 1, 1}).taps(n, func(_, i, _ int) {
			if i >= 0 {
				want[i] += col[at]
			}
			at++
		})
		sameBits(t, fmt.Sprintf("Conv2DGradInput %+v", g), got, want)
	}
}

func BenchmarkConv2D(b *testing.B) {
	const n = 8
	for _, s := range []struct{ size, c, f int }{{28, 1, 32}, {14, 32, 64}, {7, 64, 64}} {
		g := &Conv{NewWindow([2]int{s.size, s.size}, [2]int{3, 3}, [2]int{1, 1}, [2]int{1, 1}, true), s.c, s.f, 1}
		x, kernel := random(n*g.H*g.W*g.Channels, 1), random(g.depth()*g.Filters, 2)
		y, ws := random(n*g.Positions()*g.Filters, 3), new(Workspace)
		for _, c := range []struct {
			name string
			f    func()
		}{{"Forward", func() { Conv2D(y, x, kernel, n, g, ws) }},
			{"GradKernel", func() { Conv2DGradKernel(kernel, y, x, n, g, ws) }},
			{"GradInput", func() { Conv2DGradInput(x, y, kernel, n, g, ws) }}} {
			b.Run(fmt.Sprintf("%dx%dx%d-%d/%s", s.size, s.size, s.c, s.f, c.name), func(b *testing.B) {
				c.f()
				b.ReportAllocs()
				for b.Loop() {
					c.f()
				}
				flops := 2 * float64(n*g.Positions()*g.depth()*g.Filters)
				b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
