package kernel

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math"
	"testing"
)

// golden are the digests of results, the same for every processor and build.
var golden = map[string]string{
	"activations":  "3639a12b5ae34dfeb27f7d946fd34715d6be5705e4446d30c4e8b694823d2ad8",
	"linear":       "097181643213953193c32c328325be6fe90b7ac5107a157f6cf278bbf4816cde",
	"softmax":      "e6686b17322c4252cd6d074ddee7eda78f315da9d3b265417d759b430a997138",
	"optimizers":   "0fbf6ad43b43da0ecd46b6c21cfdaeab15a3002f6955fd6090a1dc8e6ddb3c59",
	"reductions":   "4a5eb4bc2010d647f9bcf248f81f6f8e409b01bf2e91e3c956e716c2e9e134fc",
	"products":     "a4784949cf286687ab1b2536dacfff8a749d58f529f2576824ae1660ac3d89a0",
	"convolutions": "966634fb13a5f36c1f83deedb353f470d8c51ce6d65b9a144dc9509267f8a73d",
	"integers":     "3be8c4cd46d5938f83d422ff1c5f9072036192a5f0a3d8f5ec38ecb71586fd21",
}

// digest hashes bit patterns; all NaNs are one.
type digest struct{ hash.Hash }

func (d digest) floats(x []float32) {
	for _, v := range x {
		b := math.Float32bits(v)
		if v != v {
			b = 0x7fc00000
		}
		d.uint64(uint64(b))
	}
}

func (d digest) uint64(v uint64) { _, _ = d.Write(binary.LittleEndian.AppendUint64(nil, v)) }

func TestGolden(t *testing.T) {
	for _, g := range vectorGroups {
		checkGolden(t, g.name, func(d digest) {
			for _, c := range g.cases {
				for i, n := range []int{5, 64, 259} {
					sizes := c.size(3, n)
					s := make([][]float32, len(sizes))
					for j, l := range sizes {
						s[j] = make([]float32, l)
						fill(s[j], uint64(j), i == 1)
					}
					c.run(3, n, s)
					for _, x := range s {
						d.floats(x)
					}
				}
			}
		})
	}
	checkGolden(t, "products", goldenProducts)
	checkGolden(t, "convolutions", goldenConvolutions)
	checkGolden(t, "integers", goldenIntegers)
}

func checkGolden(t *testing.T, name string, f func(d digest)) {
	t.Helper()
	d := digest{sha256.New()}
	f(d)
	if got := hex.EncodeToString(d.Sum(nil)); got != golden[name] {
		t.Errorf("%s: digest %s, want %s", name, got, golden[name])
	}
}

func goldenProducts(d digest) {
	ws := new(Workspace)
	for _, s := range [][3]int{{7, 10, 30}, {16, 17, 784}, {50, 33, 27}} {
		m, n, k := s[0], s[1], s[2]
		for v := range 4 {
			transA, transB := v&1 != 0, v&2 != 0
			lda, ldb := k, n
			if transA {
				lda = m
			}
			if transB {
				ldb = k
			}
			c := random(m*n, 3)
			Gemm(transA, transB, m, n, k, random(m*k, 1), lda, random(k*n, 2), ldb, v == 2, c, n, ws)
			d.floats(c)
		}
	}
}

func goldenConvolutions(d digest) {
	const n = 2
	ws := new(Workspace)
	for _, g := range convCases() {
		x, kernel, dy := random(n*g.H*g.W*g.Channels, 1), random(g.depth()*g.Filters, 2), random(n*g.Positions()*g.Filters, 3)
		y := make([]float32, len(dy))
		Conv2D(y, x, kernel, n, &g, ws)
		d.floats(y)
		Conv2DGradKernel(kernel, dy, x, n, &g, ws)
		d.floats(kernel)
		Conv2DGradInput(x, dy, kernel, n, &g, ws)
		d.floats(x)
		if g.DilationH != 1 || g.DilationW != 1 {
			continue
		}
		y, arg := make([]float32, n*g.Positions()*g.Channels), make([]int32, n*g.Positions()*g.Channels)
		MaxPool(y, arg, x, n, g.Channels, &g.Window)
		d.floats(y)
		MaxPoolGrad(x, y, arg)
		d.floats(x)
		AvgPool(y, x, n, g.Channels, &g.Window)
		d.floats(y)
		AvgPoolGrad(x, y, n, g.Channels, &g.Window)
		d.floats(x)
	}
}

func goldenIntegers(d digest) {
	const n = 259
	acc, g := make([]int64, n), random(n, 1)
	for scale := 20; scale < 46; scale += 5 {
		d.uint64(uint64(FixedAccumulate(acc, false, scale, g)))
		for _, v := range acc {
			d.uint64(uint64(v))
		}
		FixedToFloat(g, acc, scale+1)
		d.floats(g)
	}
	buf := make([]byte, 8*n)
	PackInt64(buf, acc, PackWidth(acc))
	_, _ = d.Write(buf)
}
