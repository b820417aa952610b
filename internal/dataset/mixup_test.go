package dataset

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"lockstep/internal/rng"
	"lockstep/internal/spec"
)

func TestExp(t *testing.T) {
	for x := -700.0; x < 700; x += 0.37 {
		if got, want := exp(x), math.Exp(x); math.Abs(got-want) > 1e-13*want { // 700/ln 2 halvings, each of them rounded to 2^-53
			t.Errorf("exp %v is %v, want %v", x, got, want)
		}
	}
	if exp(-1e4) != 0 || !math.IsInf(exp(1e4), 1) || exp(0) != 1 {
		t.Error("the ends are wrong")
	}
}

// Beta(a, a) has the mean 1/2 and the variance 1/(4(2a+1)); another machine has to give the same bits.
func TestBeta(t *testing.T) {
	var bits uint64
	for k, alpha := range []float64{0.01, 0.2, 1, 4} {
		s := rng.New(1, rng.Augment, 0, 0, uint64(k))
		mean, square := 0.0, 0.0
		const n = 20000
		for range n {
			x := beta(&s, alpha)
			if !(x >= 0 && x <= 1) {
				t.Fatalf("alpha %v: %v", alpha, x)
			}
			bits = bits*31 + math.Float64bits(x)
			mean += x
			square += float64((x - 0.5) * (x - 0.5))
		}
		mean, square = mean/n, square/n
		if want := 1 / (4 * (2*alpha + 1)); math.Abs(mean-0.5) > 0.015 || math.Abs(square-want) > 0.03*want {
			t.Errorf("alpha %v: mean %v, variance %v, want 0.5 and %v", alpha, mean, square, want)
		}
	}
	if bits != wantBeta {
		t.Errorf("the bits sum to %#x, want %#x", bits, wantBeta)
	}
}

const wantBeta uint64 = 0x507eea9f29c5384b

// mixupSpec is a table of numbers with a target.
func mixupSpec(t *testing.T, target string) spec.Dataset {
	text := "a,b,class\n"
	for i := range 60 {
		text += string(rune('0'+i%10)) + "," + string(rune('0'+i/10)) + "," + string(rune('0'+i%3)) + "\n"
	}
	d := csvSpec(t.TempDir())
	if err := os.WriteFile(filepath.Join(d.Source, "a.csv"), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	d.Target.Type = target
	d.Split = &spec.Split{Train: 0.5, Val: 0.25, Test: 0.25}
	return d
}

// mixedWith is what the documentation says of record r: its partner and its share.
func mixedWith(seed uint64, epoch, r, n, place int, alpha float64) (int, float32) {
	s := rng.New(seed, rng.Augment, uint64(epoch), uint64(r), uint64(place))
	return s.IntN(n), float32(beta(&s, alpha))
}

// Inputs and targets are mixed as documented, after the other augmentations, whatever is read together with a record, and
// only in training.
func TestMixup(t *testing.T) {
	const seed, alpha = 9, 0.4
	noise := spec.Preprocessor{Type: "gaussian_noise", Stddev: 0.5}
	for _, target := range []string{"category", "number"} {
		d := mixupSpec(t, target)
		d.Augmentation = []spec.Preprocessor{noise}
		plain := opened(t, d, seed).Split("train")
		d.Augmentation = append(d.Augmentation, spec.Preprocessor{Type: "mixup", Alpha: alpha})
		ds := opened(t, d, seed)
		s := ds.Split("train")
		n := s.Len()
		var all, one, base Batch
		swapped := 0
		for epoch := range 3 {
			if s.Read(&all, every(n), epoch) != nil || plain.Read(&base, every(n), epoch) != nil {
				t.Fatal("not read")
			}
			for r := range n {
				p, share := mixedWith(seed, epoch, r, n, 1, alpha)
				mix := func(x []float32, at, of int) float32 {
					return float32(float64(share)*float64(x[r*of+at]) + float64(1-share)*float64(x[p*of+at]))
				}
				if want := []float32{mix(base.X, 0, 2), mix(base.X, 1, 2)}; !slices.Equal(all.X[2*r:2*r+2], want) {
					t.Fatalf("epoch %d, record %d: %v, want %v", epoch, r, all.X[2*r:2*r+2], want)
				}
				if err := s.Read(&one, []int{r}, epoch); err != nil || !slices.Equal(one.X, all.X[2*r:2*r+2]) {
					t.Fatalf("a record depends on what is read with it: %v %v", one.X, err)
				}
				if target == "number" {
					if want := mix(base.Y, 0, 1); all.Y[r] != want || len(all.Shares) > 0 {
						t.Fatalf("target %v, want %v", all.Y[r], want)
					}
					continue
				}
				first, second := base.Labels[r], base.Labels[p]
				if share < 0.5 {
					first, second, share = second, first, 1-share
					swapped++
				}
				if all.Labels[r] != first || all.Others[r] != second || all.Shares[r] != share || share < 0.5 {
					t.Fatalf("labels %v and %v, %v of the first", all.Labels[r], all.Others[r], all.Shares[r])
				}
			}
		}
		if target == "category" && (swapped < n/2 || swapped > 3*n-n/2) {
			t.Errorf("%d of %d partners have the larger part", swapped, 3*n)
		}
		for _, name := range []string{"val", "test"} {
			if b := whole(t, ds.Split(name)); len(b.Others) != 0 || slices.ContainsFunc(b.X, func(x float32) bool { return x != float32(int(x)) }) {
				t.Errorf("%s is augmented", name)
			}
		}
		if b := whole(t, s.Plain()); len(b.Others) != 0 || slices.ContainsFunc(b.X, func(x float32) bool { return x != float32(int(x)) }) {
			t.Error("the plain split is augmented")
		}
	}
}

// A record that is its own target still is, mixed; one that lies on disk is mixed alike; and warm reads allocate nothing.
func TestMixupOfImages(t *testing.T) {
	d := imageSpec(t, 300, 28, 28, 1)
	d.Augmentation = []spec.Preprocessor{{Type: "random_flip", Horizontal: true}, {Type: "mixup", Alpha: 1}}
	s := opened(t, d, 3).Split("train")
	small, err := OpenWith(t.Context(), d, 3, Options{Memory: 64 << 10, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	var a, b Batch
	rows := []int{5, 299, 17}
	small.Split("train").Prefetch(rows, 2)
	if err := errors.Join(s.Read(&a, rows, 2), small.Split("train").Read(&b, rows, 2)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a.X, a.Y) || !slices.Equal(a.X, b.X) || slices.Equal(a.X, whole(t, s.Plain()).X[:len(a.X)]) {
		t.Error("the images are not mixed as they should be")
	}
	if n := testing.AllocsPerRun(50, func() { s.Read(&a, rows, 2) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestMixupRefused(t *testing.T) {
	d := mixupSpec(t, "number")
	d.Augmentation = []spec.Preprocessor{{Type: "mixup", Alpha: 1}, {Type: "gaussian_noise", Stddev: 1}}
	refused(t, d, defaultLimits, d.Source, "augmentation mixup: it mixes what the others made of two records: write it last")
}
