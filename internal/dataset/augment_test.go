package dataset

import (
	"fmt"
	"slices"
	"testing"

	"lockstep/internal/rng"
	"lockstep/internal/spec"
)

// imageSpec is n images of bytes 1, 2, 3, ... without labels, preprocessed.
func imageSpec(t *testing.T, n, height, width, channels int) spec.Dataset {
	data := make([]byte, n*height*width*channels)
	for i := range data {
		data[i] = byte(i%255 + 1)
	}
	d := idxSpec(folder(t, map[string][]byte{"x": idxFile(idxUbyte, []uint32{uint32(n), uint32(height), uint32(width), uint32(channels)}, data)}))
	d.Train.Labels = ""
	mean, std := make([]float64, channels), make([]float64, channels)
	for c := range channels {
		mean[c], std[c] = float64(c)-0.25, 0.5+float64(c)
	}
	d.Preprocessing = []spec.Preprocessor{{Type: "rescale", Scale: 0.5, Offset: 1}, {Type: "standardize", Mean: mean, Std: std}}
	return d
}

// expected is what the documentation says of augmentation list for record r in an epoch.
func expected(x []float32, height, width, channels int, list []spec.Preprocessor, outside []float32, seed uint64, epoch, r int) []float32 {
	for k, p := range list {
		s := rng.New(seed, rng.Augment, uint64(epoch), uint64(r), uint64(k))
		var from func(i, j int) (int, int)
		if p.Type == "random_flip" {
			horizontal := p.Horizontal && s.Uint32()%2 == 1
			vertical := p.Vertical && s.Uint32()%2 == 1
			from = func(i, j int) (int, int) {
				if horizontal {
					j = width - 1 - j
				}
				if vertical {
					i = height - 1 - i
				}
				return i, j
			}
		} else {
			dy := s.IntN(2*p.Pixels+1) - p.Pixels
			dx := s.IntN(2*p.Pixels+1) - p.Pixels
			from = func(i, j int) (int, int) { return i - dy, j - dx }
		}
		y := make([]float32, len(x))
		for at := range y {
			i, j, c := at/channels/width, at/channels%width, at%channels
			if i, j = from(i, j); i >= 0 && i < height && j >= 0 && j < width {
				y[at] = x[(i*width+j)*channels+c]
			} else {
				y[at] = outside[c]
			}
		}
		x = y
	}
	return x
}

func TestAugmentation(t *testing.T) {
	flip := spec.Preprocessor{Type: "random_flip", Horizontal: true}
	for _, c := range []struct {
		height, width, channels int
		list                    []spec.Preprocessor
	}{
		{2, 3, 1, []spec.Preprocessor{flip}},
		{3, 2, 2, []spec.Preprocessor{{Type: "random_flip", Vertical: true}}},
		{4, 5, 3, []spec.Preprocessor{{Type: "random_flip", Horizontal: true, Vertical: true}}},
		{4, 5, 3, []spec.Preprocessor{{Type: "random_crop", Pixels: 3}}},
		{7, 4, 1, []spec.Preprocessor{flip, {Type: "random_crop", Pixels: 1}, flip}},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			const n, seed = 40, 7
			d := imageSpec(t, n, c.height, c.width, c.channels)
			plain := whole(t, opened(t, d, seed).Split("train"))
			outside := make([]float32, c.channels)
			for i := range outside {
				outside[i] = float32((1 - (float64(i) - 0.25)) / (0.5 + float64(i))) // 0, rescaled and standardized
			}
			d.Augmentation = c.list
			s := opened(t, d, seed).Split("train")
			size := c.height * c.width * c.channels
			variants := map[string]bool{}
			for epoch := range 3 {
				var b Batch
				if err := s.Read(&b, every(n), epoch); err != nil {
					t.Fatal(err)
				}
				for r := range n {
					want := expected(plain.X[r*size:(r+1)*size], c.height, c.width, c.channels, c.list, outside, seed, epoch, r)
					if got := b.X[r*size : (r+1)*size]; !slices.Equal(got, want) {
						t.Fatalf("epoch %d, record %d: %v\nwant %v\nof %v", epoch, r, got, want, plain.X[r*size:(r+1)*size])
					}
					if r == 0 || epoch == 0 {
						variants[fmt.Sprint(epoch, want)] = true
					}
				}
				if !slices.Equal(b.X, b.Y) {
					t.Error("an augmented record is not its own target")
				}
			}
			if len(variants) < n/2 { // the bytes repeat, and so do some images
				t.Errorf("%d images became %d", n+2, len(variants))
			}
		})
	}
}

// Both ways of a mirror and every move come up, about as often as they should.
func TestAugmentationIsUniform(t *testing.T) {
	const n, pixels = 5000, 1
	d := imageSpec(t, 1, 5, 5, 1)
	d.Augmentation = []spec.Preprocessor{{Type: "random_crop", Pixels: pixels}}
	s := opened(t, d, 1).Split("train")
	counts := map[string]int{}
	var b Batch
	for epoch := range n {
		if err := s.Read(&b, []int{0}, epoch); err != nil {
			t.Fatal(err)
		}
		counts[fmt.Sprint(b.X)]++
	}
	if len(counts) != 9 {
		t.Errorf("%d different images, want 9", len(counts))
	}
	for _, c := range counts {
		if c < n/9-100 || c > n/9+100 { // over four deviations of the binomial
			t.Errorf("an image came up %d times of %d, want about %d", c, n, n/9)
		}
	}
}

// Any batch gives the same record, and only the training split is augmented.
func TestAugmentationDependsOnRecordAndEpoch(t *testing.T) {
	d := imageSpec(t, 60, 4, 4, 1)
	d.Split = &spec.Split{Train: 0.5, Val: 0.25, Test: 0.25}
	plain := opened(t, d, 3)
	d.Augmentation = []spec.Preprocessor{{Type: "random_flip", Horizontal: true, Vertical: true}, {Type: "random_crop", Pixels: 2}}
	ds := opened(t, d, 3)
	if ds.Info().Fingerprint != plain.Info().Fingerprint {
		t.Error("augmentation changes the fingerprint")
	}
	for _, name := range []string{"val", "test"} {
		if !slices.Equal(whole(t, ds.Split(name)).X, whole(t, plain.Split(name)).X) {
			t.Errorf("%s is augmented", name)
		}
	}
	s := ds.Split("train")
	all, one := whole(t, s), Batch{}
	for _, r := range []int{29, 3, 17} {
		if err := s.Read(&one, []int{5, r}, 0); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(one.X[16:], all.X[r*16:(r+1)*16]) {
			t.Errorf("record %d depends on its batch", r)
		}
	}
	if err := s.Read(&one, every(30), 1); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(one.X, all.X) {
		t.Error("two epochs are augmented alike")
	}
	if other := opened(t, d, 4).Split("train"); slices.Equal(whole(t, other).X, all.X) {
		t.Error("two seeds augment alike")
	}
}

func TestAugmentationRefused(t *testing.T) {
	for _, c := range []struct {
		height int
		list   spec.Preprocessor
		want   string
	}{
		{5, spec.Preprocessor{Type: "random_crop", Pixels: 4}, "augmentation random_crop: images of 5x4 pixels cannot be moved by up to 4"},
		{3, spec.Preprocessor{Type: "random_crop", Pixels: 3}, "augmentation random_crop: images of 3x4 pixels cannot be moved by up to 3"},
		{3, spec.Preprocessor{Type: "random_crop"}, "augmentation random_crop: images of 3x4 pixels cannot be moved by up to 0"},
		{3, spec.Preprocessor{Type: "cutout"}, `augmentation "cutout" is not supported yet`},
	} {
		d := imageSpec(t, 2, c.height, 4, 1)
		d.Augmentation = []spec.Preprocessor{c.list}
		refused(t, d, defaultLimits, d.Source, c.want)
	}
	d := csvSpec(folder(t, map[string][]byte{"a.csv": []byte("a,class\n1,x\n")}))
	d.Augmentation = []spec.Preprocessor{{Type: "random_flip", Horizontal: true}}
	refused(t, d, defaultLimits, d.Source, "augmentation random_flip: it needs images of [height, width, channels], the records have shape [1]")
}

func BenchmarkReadAugmented(b *testing.B) {
	d := fashionSpec(b)
	d.Augmentation = []spec.Preprocessor{{Type: "random_flip", Horizontal: true}, {Type: "random_crop", Pixels: 2}}
	s := opened(b, d, 1).Split("train")
	var batch Batch
	records := every(128)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Read(&batch, records, 0); err != nil {
			b.Fatal(err)
		}
	}
}
