package kernel

import (
	"fmt"
	"testing"
)

// TestIm2col checks parts of the positions and of the channels against the definition.
func TestIm2col(t *testing.T) {
	for _, g := range convCases() {
		x := random(g.H*g.W*g.Channels, 1)
		c0, c := 0, g.Channels
		if g.Groups > 1 {
			c0, c = 1, g.Channels/g.Groups
		}
		for _, r := range [][2]int{{0, g.Positions()}, {3, 4}, {2, g.Positions() - 1}, {5, 5}} {
			from, to := r[0], max(r[0], r[1])
			if to > g.Positions() {
				continue
			}
			want := make([]float32, 0)
			for p := from; p < to; p++ {
				for tap := range g.KH * g.KW {
					y := p/g.OutW*g.StrideH + tap/g.KW*g.DilationH - g.Top
					u := p%g.OutW*g.StrideW + tap%g.KW*g.DilationW - g.Left
					for i := range c {
						if y < 0 || y >= g.H || u < 0 || u >= g.W {
							want = append(want, 0)
						} else {
							want = append(want, x[(y*g.W+u)*g.Channels+c0+i])
						}
					}
				}
			}
			got := random(len(want), 2)
			Im2col(got, x, g.Channels, c0, c, &g.Window, from, to)
			sameBits(t, fmt.Sprintf("Im2col %+v from %d to %d", g, from, to), got, want)
		}
	}
}
