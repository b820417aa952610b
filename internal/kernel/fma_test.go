package kernel

import (
	"math"
	"math/big"
	"testing"
)

// fmaBig is the exact x*y + z rounded once to float32. Arguments are finite.
func fmaBig(x, y, z float32) float32 {
	p := new(big.Float).SetPrec(600).Mul(big.NewFloat(float64(x)), big.NewFloat(float64(y)))
	p.SetPrec(600).Add(p, new(big.Float).SetPrec(600).SetFloat64(float64(z)))
	f, _ := p.Float32()
	return f
}

func FuzzFMA(f *testing.F) {
	for _, v := range [][3]float32{{1, 1, 1}, {1 + 0x1p-23, 1 + 0x1p-23, 0x1p-126}, {0x1p-75, 0x1p-75, 0x1p-149},
		{0x1.8p-75, 0x1p-75, 0}, {1 + 0x1p-12, 1 + 0x1p-12, 0x1p-100}, {1 + 0x1p-12, 1 + 0x1p-12, -0x1p-100},
		{math.MaxFloat32, 1 + 0x1p-23, 0},
		// Half-way but for 2^-36 of the product: in the subnormal range, and with the sum odd before it is rounded.
		{(1 + 0x1p-12) * 0x1p-75, (1 - 0x1p-12 + 0x1p-24) * 0x1p-75, 0x1p-127},
		{(1 + 2009*0x1p-23) * 0x1p-12, (1 - 2009*0x1p-23 + 0x1p-24) * 0x1p-12, 1},
		{math.MaxFloat32, 2, -math.MaxFloat32}, {-1, 1, 1}} {
		f.Add(math.Float32bits(v[0]), math.Float32bits(v[1]), math.Float32bits(v[2]))
	}
	f.Fuzz(func(t *testing.T, a, b, c uint32) {
		x, y, z := math.Float32frombits(a), math.Float32frombits(b), math.Float32frombits(c)
		if d := x - x + y - y + z - z; d != 0 {
			t.Skip("not finite")
		}
		want := fmaBig(x, y, z)
		if got := fma(x, y, z); got != want {
			t.Errorf("fma(%x, %x, %x) = %x, want %x", x, y, z, got, want)
		}
		if got := fmaOdd(x, y, z); got != want {
			t.Errorf("fmaOdd(%x, %x, %x) = %x, want %x", x, y, z, got, want)
		}
	})
}
