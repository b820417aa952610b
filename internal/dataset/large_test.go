package dataset

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"lockstep/internal/spec"
)

// A dataset that does not fit is the same as in memory: fingerprint, what is fitted, and every record; and it takes
// little memory.
func TestLargerThanMemory(t *testing.T) {
	const n, size, bound = 20_000, 784, 1 << 20 // 15.7 MB
	pixels := make([]byte, n*size)
	rand.NewChaCha8([32]byte{3}).Read(pixels)
	labels := make([]byte, n)
	for i := range labels {
		labels[i] = pixels[i*size] % 10
	}
	dir := folder(t, map[string][]byte{"x": zipped(idxFile(0x08, []uint32{n, 28, 28}, pixels)), "y": idxFile(0x08, []uint32{n}, labels)})
	d := idxSpec(dir)
	d.Split = &spec.Split{Train: 0.8, Val: 0.2}
	d.Preprocessing = []spec.Preprocessor{{Type: "standardize"}}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	small, err := OpenWith(t.Context(), d, 1, Options{Memory: bound, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	held := heap() - before
	whole := opened(t, d, 1)
	if all := heap() - before - held; held > 2*bound || all < n*size {
		t.Errorf("%d bytes are held under a bound of %d, and %d without", held, bound, all)
	}
	if small.InMemory() || !whole.InMemory() {
		t.Fatal("the bound has no effect")
	}
	if small.Info().Fingerprint != whole.Info().Fingerprint || !slices.Equal(small.Info().Preprocessing[0].Mean, whole.Info().Preprocessing[0].Mean) {
		t.Error("the data is not the same")
	}
	var a, b Batch
	r := rand.New(rand.NewPCG(1, 2))
	rows := make([]int, 32)
	for range 50 {
		for i := range rows {
			rows[i] = r.IntN(whole.Split("train").Len())
		}
		small.Split("train").Prefetch(rows, 0)
		if err := small.Split("train").Read(&a, rows, 0); err != nil {
			t.Fatal(err)
		}
		if err := whole.Split("train").Read(&b, rows, 0); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.X, b.X) || !slices.Equal(a.Labels, b.Labels) {
			t.Fatal("records differ")
		}
	}
}
