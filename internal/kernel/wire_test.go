package kernel

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"lockstep/internal/rng"
)

func TestPackWidth(t *testing.T) {
	if got := PackWidth(nil); got != 1 {
		t.Errorf("PackWidth of nothing = %d", got)
	}
	for width := 1; width <= 8; width++ {
		top := int64(math.MaxInt64) >> (64 - 8*width)
		for _, v := range []int64{top, -top - 1} {
			for n := 1; n < 11; n++ {
				src := make([]int64, n)
				src[n/2] = v
				if got := PackWidth(src); got != width {
					t.Errorf("PackWidth of %d elements with %x = %d, want %d", n, v, got, width)
				}
				if v < 0 {
					src[n/2] = v - 1
				} else {
					src[n/2] = v + 1
				}
				if got := PackWidth(src); width < 8 && got != width+1 {
					t.Errorf("PackWidth of %d elements with %x = %d, want %d", n, src[n/2], got, width+1)
				}
			}
		}
	}
}

func TestPackInt64(t *testing.T) {
	s := rng.New(1, rng.Weights, 0, 0, 0)
	for width := 1; width <= 8; width++ {
		for n := range 40 {
			src, packed := make([]int64, n), make([]byte, n*width)
			for i := range src {
				src[i] = int64(s.Uint64()) >> (64 - 8*width)
				for b := range width {
					packed[i*width+b] = byte(src[i] >> (8 * b))
				}
			}
			got := bytes.Repeat([]byte{0xee}, n*width+40)
			PackInt64(got, src, width)
			if !bytes.Equal(got[:n*width], packed) || !bytes.Equal(got[n*width:], bytes.Repeat([]byte{0xee}, 40)) {
				t.Fatalf("PackInt64 of %d by %d: %x, want %x", n, width, got, packed)
			}
			back := make([]int64, n+4)
			UnpackInt64(back[:n], packed, width)
			if !slices.Equal(back[:n], src) || back[n] != 0 {
				t.Fatalf("UnpackInt64 of %d by %d: %x, want %x", n, width, back, src)
			}
			UnpackAdd(back[:n], packed, width)
			for i, v := range src {
				if back[i] != 2*v {
					t.Fatalf("UnpackAdd of %d by %d, element %d: %x, want %x", n, width, i, back[i], 2*v)
				}
			}
		}
	}
}

func BenchmarkWire(b *testing.B) {
	src, buf := make([]int64, 4096), make([]byte, 8*4096)
	for _, c := range []struct {
		name string
		f    func()
	}{{"PackInt64", func() { PackInt64(buf, src, 5) }}, {"UnpackInt64", func() { UnpackInt64(src, buf, 5) }},
		{"UnpackAdd", func() { UnpackAdd(src, buf, 5) }}, {"PackWidth", func() { PackWidth(src) }}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/elem")
		})
	}
}
