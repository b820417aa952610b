package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"testing"

	"lockstep/internal/rng"
	"lockstep/internal/spec"
)

// made fills a tensor with these dimensions.
func made(t *testing.T, kind string, dims ...int) []float32 {
	t.Helper()
	b := &builder{net: &Network{}}
	in, err := b.initial(kind, "", dims...)
	if err != nil {
		t.Fatal(err)
	}
	v := make([]float32, volume(dims))
	s := rng.New(9, rng.Weights, 0, 0, 0)
	in.fill(v, &s)
	return v
}

func moments(v []float32) (mean, deviation, largest float64) {
	for _, x := range v {
		mean += float64(x) / float64(len(v))
		largest = max(largest, math.Abs(float64(x)))
	}
	for _, x := range v {
		deviation += (float64(x) - mean) * (float64(x) - mean) / float64(len(v))
	}
	return mean, math.Sqrt(deviation), largest
}

func TestInitialValuesHaveTheirMoments(t *testing.T) {
	// a kernel of 3x3 windows, 20 inputs and 30 outputs: fans of 180 and 270
	for kind, c := range map[string]struct{ deviation, largest float64 }{
		"glorot_uniform": {math.Sqrt(2.0 / 450), math.Sqrt(6.0 / 450)},
		"glorot_normal":  {math.Sqrt(2.0 / 450), 2 * math.Sqrt(2.0/450) / truncation},
		"he_uniform":     {math.Sqrt(2.0 / 180), math.Sqrt(6.0 / 180)},
		"he_normal":      {math.Sqrt(2.0 / 180), 2 * math.Sqrt(2.0/180) / truncation},
		"lecun_normal":   {math.Sqrt(1.0 / 180), 2 * math.Sqrt(1.0/180) / truncation},
		"uniform":        {0.05 / math.Sqrt(3), 0.05},
		"normal":         {0.05, 0.05 * 6},
	} {
		mean, deviation, largest := moments(made(t, kind, 3, 3, 20, 30))
		if math.Abs(mean) > 4*c.deviation/math.Sqrt(5400) || math.Abs(deviation/c.deviation-1) > 0.03 {
			t.Errorf("%s: mean %v, deviation %v, want 0 and %v", kind, mean, deviation, c.deviation)
		}
		if largest > c.largest*(1+1e-6) || kind != "normal" && largest < 0.95*c.largest {
			t.Errorf("%s: the largest is %v, the limit %v", kind, largest, c.largest)
		}
	}
}

func TestOrthogonal(t *testing.T) {
	for _, c := range [][]int{{7, 7}, {4, 9}, {9, 4}, {3, 3, 2, 5}, {1, 6}, {5, 1}} {
		cols := c[len(c)-1]
		rows := volume(c) / cols
		v := made(t, "orthogonal", c...)
		n, stride, next, length := rows, cols, 1, cols
		if rows > cols {
			n, stride, next, length = cols, 1, cols, rows
		}
		for i := range n {
			for j := range n {
				dot, want := 0.0, 0.0
				for k := range length {
					dot += float64(v[i*stride+k*next]) * float64(v[j*stride+k*next])
				}
				if i == j {
					want = 1
				}
				if math.Abs(dot-want) > 1e-6 {
					t.Fatalf("%v: vectors %d and %d have the product %v", c, i, j, dot)
				}
			}
		}
	}
}

// The bits of initial weights are part of every result: this digest may only change together with the format of results.
func TestInitialBits(t *testing.T) {
	job := &spec.TrainJob{Loss: spec.Loss{Type: "cross_entropy"}, Model: spec.Model{Layers: []spec.Layer{
		{Type: "conv2d", Filters: 3, KernelSize: spec.Pair{2, 2}, KernelInitializer: "he_normal", BiasInitializer: "normal"},
		{Type: "reshape", TargetShape: []int{4, -1}},
		{Type: "gru", Units: 5},
		{Type: "dense", Units: 4, KernelInitializer: "lecun_normal", BiasInitializer: "ones"},
	}}}
	n, err := Build(job, Data{Shape: []int{5, 5, 2}, Classes: 4})
	if err != nil {
		t.Fatal(err)
	}
	v := floats(1, n.Size())
	n.Init(v, 42)
	h := sha256.New()
	for _, x := range v {
		_ = binary.Write(h, binary.LittleEndian, math.Float32bits(x))
	}
	const want = "d49ace73c841f0a1"
	if got := hex.EncodeToString(h.Sum(nil))[:16]; got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

func TestUnknownInitializer(t *testing.T) {
	b := &builder{net: &Network{}, path: []string{"d"}}
	if _, err := b.initial("glorot", "", 3, 4); err == nil {
		t.Error("no error")
	}
}
