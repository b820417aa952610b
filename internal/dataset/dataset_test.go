package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"lockstep/internal/rng"
	"lockstep/internal/spec"
)

// fourFormats writes the same records of bytes as csv and as idx, plain and gzipped.
func fourFormats(t *testing.T, n, width int) (specs []spec.Dataset) {
	r := rand.New(rand.NewPCG(5, 6))
	data, labels := make([]byte, n*width), make([]byte, n)
	var text bytes.Buffer
	for i := range n {
		labels[i] = byte(3 + r.IntN(12)) // one and two digits: numeric order is not that of text
		for j := range width {
			data[i*width+j] = byte(r.Uint32())
			fmt.Fprintf(&text, "%d,", data[i*width+j])
		}
		fmt.Fprintf(&text, "%d\n", labels[i])
	}
	x, y := idxFile(idxUbyte, []uint32{uint32(n), 1, uint32(width)}, data), idxFile(idxUbyte, []uint32{uint32(n)}, labels)
	dir := folder(t, map[string][]byte{"a.csv": text.Bytes(), "a.csv.gz": zipped(text.Bytes()), "x": x, "y": y, "x.gz": zipped(x), "y.gz": zipped(y)})
	for _, suffix := range []string{"", ".gz"} {
		c := csvSpec(dir)
		c.Train.File, c.Header, c.Target.Column = "a.csv"+suffix, new(bool), fmt.Sprint(width)
		i := idxSpec(dir)
		i.Train = spec.Files{Images: "x" + suffix, Labels: "y" + suffix}
		specs = append(specs, c, i)
	}
	for i := range specs {
		specs[i].Split = &spec.Split{Train: 0.7, Val: 0.2, Test: 0.1}
		specs[i].Preprocessing = []spec.Preprocessor{{Type: "rescale", Scale: 1 / 255., Offset: -0.5}, {Type: "standardize", Mean: []float64{0.1}, Std: []float64{3}}}
	}
	return specs
}

func TestSameRecordsInAnyFormatHaveOneFingerprint(t *testing.T) {
	var want *Dataset
	for _, d := range fourFormats(t, 2500, 5) {
		ds := opened(t, d, 9)
		if want == nil {
			want = ds
		}
		if ds.Info().Fingerprint != want.Info().Fingerprint {
			t.Errorf("%s %+v: fingerprint differs", d.Format, d.Train)
		}
		for _, name := range []string{"train", "val", "test"} {
			a, b := whole(t, ds.Split(name)), whole(t, want.Split(name))
			if !slices.Equal(a.X, b.X) || !slices.Equal(a.Labels, b.Labels) {
				t.Errorf("%s %+v: records of %s differ", d.Format, d.Train, name)
			}
		}
	}
}

// The fingerprint against its documentation, done literally.
func TestFingerprintIsAsDocumented(t *testing.T) {
	d := fourFormats(t, 2500, 5)[1]
	ds := opened(t, d, 9)
	var root bytes.Buffer
	root.WriteString("lockstep dataset 1\n")
	put := func(b *bytes.Buffer, v any) { binary.Write(b, binary.LittleEndian, v) }
	classes := ds.Info().Classes
	put(&root, []uint64{5, 0, 0, uint64(len(classes))})
	for _, c := range classes {
		put(&root, uint64(len(c)))
		root.WriteString(c)
	}
	for _, name := range []string{"train", "val", "test"} {
		b := whole(t, ds.Split(name))
		put(&root, uint64(b.N))
		for from := 0; from < b.N; from += 1024 {
			var leaf bytes.Buffer
			for i := from; i < min(from+1024, b.N); i++ {
				put(&leaf, b.X[5*i:5*i+5])
				put(&leaf, b.Labels[i])
			}
			sum := sha256.Sum256(leaf.Bytes())
			root.Write(sum[:])
		}
	}
	if want := sha256.Sum256(root.Bytes()); ds.Info().Fingerprint != want {
		t.Errorf("fingerprint %x, want %x", ds.Info().Fingerprint, want)
	}
}

func TestFingerprintTellsDataApart(t *testing.T) {
	text := "a,b,class\n1,2,x\n3,4,y\n5,6,x\n7,8,y\n"
	seen := map[[32]byte]string{}
	for name, c := range map[string]struct {
		text   string
		change func(*spec.Dataset)
	}{
		"as it is":         {text, nil},
		"a number":         {strings.Replace(text, "3", "3.5", 1), nil},
		"minus zero":       {strings.Replace(text, "3", "-0", 1), nil},
		"zero":             {strings.Replace(text, "3", "0", 1), nil},
		"a label":          {strings.Replace(text, "y", "x", 1), nil},
		"a class name":     {strings.ReplaceAll(text, "y", "z"), nil},
		"another order":    {"a,b,class\n3,4,y\n1,2,x\n5,6,x\n7,8,y\n", nil},
		"one record fewer": {"a,b,class\n1,2,x\n3,4,y\n5,6,x\n", nil},
		"preprocessing":    {text, rescaled(2)},
		"class order":      {text, func(d *spec.Dataset) { d.Target.Classes = []string{"y", "x"} }},
		"one more class":   {text, func(d *spec.Dataset) { d.Target.Classes = []string{"x", "y", "z"} }},
		"a column fewer":   {text, func(d *spec.Dataset) { d.Features = []spec.Feature{{Column: "a", Type: "number"}} }},
		"no target":        {strings.NewReplacer("x", "0", "y", "1").Replace(text), func(d *spec.Dataset) { d.Target = nil }},
		"a number target":  {strings.NewReplacer("x", "0", "y", "1").Replace(text), func(d *spec.Dataset) { d.Target.Type = "number" }},
		"another target":   {strings.NewReplacer("x", "0", "y", "2").Replace(text), func(d *spec.Dataset) { d.Target.Type = "number" }},
		"a split":          {text, func(d *spec.Dataset) { d.Split = &spec.Split{Train: 0.5, Val: 0.5} }},
		"another split":    {text, func(d *spec.Dataset) { d.Split = &spec.Split{Train: 0.5, Test: 0.5} }},
	} {
		d := csvSpec(folder(t, map[string][]byte{"a.csv": []byte(c.text)}))
		if c.change != nil {
			c.change(&d)
		}
		sum := opened(t, d, 3).Info().Fingerprint
		if other, ok := seen[sum]; ok {
			t.Errorf("%q and %q have the same fingerprint", name, other)
		}
		seen[sum] = name
	}
}

// Splits against the documented rule, done literally.
func TestFractionsCutTheTrainFiles(t *testing.T) {
	var text strings.Builder
	text.WriteString("a,class\n")
	for i := range 103 {
		fmt.Fprintf(&text, "%d,x\n", i)
	}
	dir := folder(t, map[string][]byte{"a.csv": []byte(text.String()), "b.csv": []byte("a,class\n-1,x\n-2,x\n")})
	for _, c := range []struct {
		split            spec.Split
		files            bool // val has a file of its own
		train, val, test int
	}{
		{spec.Split{Train: 1}, false, 103, 0, 0},
		{spec.Split{Train: 0.8, Val: 0.2}, false, 82, 21, 0},
		{spec.Split{Train: 0.7, Val: 0.2, Test: 0.1}, false, 72, 21, 10},
		{spec.Split{Train: 0.5, Test: 0.25}, false, 52, 0, 25}, // 51.5 and 77.25; the rest is unused
		{spec.Split{Train: 0.8, Val: 0.2}, true, 82, 2, 0},
	} {
		d := csvSpec(dir)
		d.Split = &c.split
		if c.files {
			d.Val = &spec.Files{File: "b.csv"}
		}
		ds := opened(t, d, 77)
		order := make([]int, 103)
		s := rng.New(77, rng.SplitOrder, 0, 0, 0)
		s.Perm(order)
		from := 0
		for _, part := range []struct {
			name string
			n    int
		}{{"train", c.train}, {"val", c.val}, {"test", c.test}} {
			if part.name == "val" && c.files {
				if got := whole(t, ds.Split("val")).X; !slices.Equal(got, []float32{-1, -2}) {
					t.Errorf("%+v: val is %v, want the file's", c.split, got)
				}
				continue
			}
			want := slices.Clone(order[from : from+part.n])
			slices.Sort(want)
			from += part.n
			split := ds.Split(part.name)
			if split.Len() != part.n {
				t.Errorf("%+v: %d records of %s, want %d", c.split, split.Len(), part.name, part.n)
				continue
			}
			for i, x := range whole(t, split).X {
				if x != float32(want[i]) {
					t.Errorf("%+v: record %d of %s is %v, want %d", c.split, i, part.name, x, want[i])
				}
				if file, n := split.Record(i); n != want[i]+1 || filepath.Base(file) != "a.csv" {
					t.Errorf("%+v: record %d of %s is said to be %d of %s, want %d", c.split, i, part.name, n, file, want[i]+1)
				}
			}
		}
		if info := ds.Info(); info.Train != c.train || info.Val != c.val || info.Test != c.test {
			t.Errorf("%+v: info counts %d %d %d", c.split, info.Train, info.Val, info.Test)
		}
	}
	a := opened(t, withSplit(csvSpec(dir)), 1).Info().Fingerprint
	if b := opened(t, withSplit(csvSpec(dir)), 2).Info().Fingerprint; a == b {
		t.Error("two seeds cut alike")
	}
}

func withSplit(d spec.Dataset) spec.Dataset {
	d.Split = &spec.Split{Train: 0.5, Val: 0.5}
	return d
}

// What is fitted is fitted to the training split alone, in record order, in float64.
func TestFitIsOfTheTrainingSplit(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var text strings.Builder
	text.WriteString("a,b,class\n")
	rows := make([][2]float64, 300)
	for i := range rows {
		for j := range rows[i] {
			rows[i][j] = float64(float32(1e4 + r.NormFloat64()))
		}
		fmt.Fprintf(&text, "%v,%v,x\n", rows[i][0], rows[i][1])
	}
	d := csvSpec(folder(t, map[string][]byte{"a.csv": []byte(text.String())}))
	d.Split = &spec.Split{Train: 0.6, Val: 0.4}
	d.Features = []spec.Feature{{Column: "a", Type: "number", Preprocessing: "standardize"}, {Column: "b", Type: "number", Preprocessing: "min_max"}}
	ds := opened(t, d, 5)
	var train [][2]float64
	s := ds.Split("train")
	for i := range s.Len() {
		_, n := s.Record(i)
		train = append(train, rows[n-1])
	}
	sum, least, most := 0.0, math.Inf(1), math.Inf(-1)
	for _, v := range train {
		sum += v[0]
		least, most = min(least, v[1]), max(most, v[1])
	}
	mean, squares := sum/float64(len(train)), 0.0
	for _, v := range train {
		squares += float64((v[0] - mean) * (v[0] - mean))
	}
	std := math.Sqrt(squares / float64(len(train)))
	c := ds.Info().Columns
	if c[0].Center != mean || c[0].Scale != std || c[1].Center != least || c[1].Scale != most-least {
		t.Errorf("fitted %+v, want mean %v std %v least %v range %v", c, mean, std, least, most-least)
	}
	val := ds.Split("val")
	for i, x := range whole(t, val).X {
		_, n := val.Record(i / 2)
		want := float32((rows[n-1][0] - mean) / std)
		if i%2 == 1 {
			want = float32((rows[n-1][1] - least) / (most - least))
		}
		if x != want {
			t.Fatalf("val input %d: %v, want %v", i, x, want)
		}
	}
}

// An absent mean and deviation of the list are fitted after the steps before, for each channel.
func TestFittedStandardize(t *testing.T) {
	d := idxSpec(folder(t, map[string][]byte{"x": idxFile(idxUbyte, []uint32{2, 1, 2, 2}, []byte{0, 10, 2, 10, 4, 10, 6, 10})}))
	d.Train.Labels = ""
	d.Preprocessing = []spec.Preprocessor{{Type: "rescale", Scale: 2, Offset: 1}, {Type: "standardize"}}
	ds := opened(t, d, 1)
	got := ds.Info().Preprocessing[1]
	if !slices.Equal(got.Mean, []float64{7, 21}) || !slices.Equal(got.Std, []float64{math.Sqrt(20), 1}) {
		t.Errorf("fitted %+v, want means 7 and 21, deviations sqrt(20) and 1 (of a constant)", got)
	}
	if d.Preprocessing[1].Mean != nil {
		t.Error("the caller's specification was changed")
	}
	if x := whole(t, ds.Split("train")).X[2]; x != float32((5-7)/math.Sqrt(20)) {
		t.Errorf("element 2 is %v", x)
	}
}

func TestReadAnyRecordsAnyTime(t *testing.T) {
	onehot := csvSpec(folder(t, map[string][]byte{"a.csv": []byte("k,class\nred,x\nblue,y\ngreen,y\nred,y\n")}))
	onehot.Features = []spec.Feature{{Column: "k", Type: "category"}}
	for _, d := range append(fourFormats(t, 500, 3)[:2], onehot) {
		s := opened(t, d, 1).Split("train")
		all := whole(t, s)
		var wg sync.WaitGroup
		for k := range 4 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(k), 0))
				var b Batch
				for range 50 {
					records := make([]int, r.IntN(20))
					for i := range records {
						records[i] = r.IntN(s.Len())
					}
					if err := s.Read(&b, records, k); err != nil {
						t.Error(err)
					}
					if b.N != len(records) || len(b.X) != 3*b.N || len(b.Labels) != b.N || len(b.Y) != 0 || len(b.IDs) != 0 {
						t.Errorf("batch of %d: %d inputs, %d labels", len(records), len(b.X), len(b.Labels))
					}
					for i, rec := range records {
						if !slices.Equal(b.X[3*i:3*i+3], all.X[3*rec:3*rec+3]) || b.Labels[i] != all.Labels[rec] {
							t.Errorf("record %d read alone and with all differs", rec)
						}
					}
				}
			})
		}
		wg.Wait()
		for _, bad := range [][]int{{-1}, {0, s.Len()}} {
			if err := s.Read(&Batch{}, bad, 0); err == nil {
				t.Errorf("records %v of %d: no error", bad, s.Len())
			}
		}
	}
}

func TestReadAllocatesNothingWhenWarm(t *testing.T) {
	specs := fourFormats(t, 500, 3)
	number := csvSpec(folder(t, map[string][]byte{"a.csv": []byte("k,n,class\nred,1,2\nblue,2,3\n")}))
	number.Target.Type, number.Features = "number", []spec.Feature{{Column: "k", Type: "category"}, {Column: "n", Type: "number"}}
	text := textSpec(folder(t, map[string][]byte{"a.txt": []byte("to be or not to be")}), "char", 4)
	image := idxSpec(folder(t, map[string][]byte{"x": idxFile(idxUbyte, []uint32{2, 3, 4}, make([]byte, 24))}))
	image.Train.Labels = ""
	image.Augmentation = []spec.Preprocessor{{Type: "random_flip", Horizontal: true, Vertical: true}, {Type: "random_crop", Pixels: 2}}
	for _, d := range append(specs[:2], number, text, image) {
		s := opened(t, d, 1).Split("train")
		var b Batch
		records := []int{1, 0, 1}
		read := func() {
			if err := s.Read(&b, records, 0); err != nil {
				t.Fatal(err)
			}
		}
		read()
		if n := testing.AllocsPerRun(100, read); n > 0 {
			t.Errorf("%s: %v allocations", d.Format, n)
		}
	}
}

func TestSources(t *testing.T) {
	dir := folder(t, map[string][]byte{"a b%.csv": []byte("a,class\n1,x\n")})
	path := filepath.Join(dir, "a b%.csv")
	fileURL := func(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }
	for source, name := range map[string]string{dir: "a b%.csv", fileURL(dir): "a b%.csv", path: "", fileURL(path): "",
		strings.Replace(fileURL(dir), "//", "//localhost", 1): "a b%.csv"} {
		d := csvSpec(source)
		d.Train.File = name
		opened(t, d, 1)
	}
	for _, c := range []struct{ source, name, want string }{
		{dir, "", "read train files: " + dir + " is a folder: name the file inside it"},
		{dir, "../a.csv", `read train files: file "../a.csv" is not inside the source ` + dir},
		{dir, "/etc/passwd", `read train files: file "/etc/passwd" is not inside the source ` + dir},
		{"file://a/b", "a.csv", `source "file://a/b": a file URL has an absolute path after file://`},
		{"file:///%zz", "a.csv", `source "file:///%zz": parse "file:///%zz": invalid URL escape "%zz"`},
	} {
		d := csvSpec(c.source)
		d.Train.File = c.name
		if _, err := Open(t.Context(), d, 1); err == nil || err.Error() != c.want {
			t.Errorf("%s %s: %v, want %s", c.source, c.name, err, c.want)
		}
	}
	d := csvSpec(dir)
	d.Train.File = "missing.csv"
	if _, err := Open(t.Context(), d, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestWhatIsNotBuiltIsSaid(t *testing.T) {
	for _, c := range []struct {
		change func(*spec.Dataset)
		want   string
	}{
		{func(d *spec.Dataset) { d.Format = "cvs" }, `unknown format "cvs": want csv, idx, npy, npz, image_folder, text, jsonl or parquet`},
		{func(d *spec.Dataset) {
			d.Features = []spec.Feature{{Column: "a", Type: "number", Preprocessing: "log"}}
		}, `column "a": preprocessing "log" is not supported yet`},
	} {
		d := csvSpec(t.TempDir())
		c.change(&d)
		if _, err := Open(t.Context(), d, 1); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

func TestOpenStopsWithItsContext(t *testing.T) {
	cause := errors.New("no longer needed")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := Open(ctx, digitsSpec(), 1); !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
	ds := opened(t, digitsSpec(), 1)
	if _, err := ds.fingerprint(ctx); !errors.Is(err, cause) {
		t.Errorf("fingerprint: error %v, want %v", err, cause)
	}
}

func TestUnknownSplitPanics(t *testing.T) {
	ds := opened(t, digitsSpec(), 1)
	if n := ds.Split("val").Len(); n != 0 {
		t.Errorf("a split that is not given has %d records", n)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	ds.Split("validation")
}

const fashion = "/usr/share/datasets/fashion-mnist"

func fashionSpec(t testing.TB) spec.Dataset {
	if _, err := os.Stat(fashion); err != nil {
		t.Skipf("Debian's dataset-fashion-mnist is not installed: %v", err)
	}
	return spec.Dataset{Format: "idx", Source: "file://" + fashion,
		Train:         spec.Files{Images: "train-images-idx3-ubyte.gz", Labels: "train-labels-idx1-ubyte.gz"},
		Test:          &spec.Files{Images: "t10k-images-idx3-ubyte.gz", Labels: "t10k-labels-idx1-ubyte.gz"},
		Split:         &spec.Split{Train: 0.9, Val: 0.1},
		Preprocessing: []spec.Preprocessor{{Type: "rescale", Scale: 1 / 255.}}}
}

func TestFashionMNIST(t *testing.T) {
	d := fashionSpec(t)
	d.Train, d.Test = *d.Test, nil // the smaller files: 1,000 of each class
	ds := opened(t, d, 42)
	info := ds.Info()
	if !slices.Equal(info.Shape, []int{28, 28, 1}) || info.ClassCount != 10 || info.Train != 9000 || info.Val != 1000 || info.Test != 0 {
		t.Errorf("info %+v", info)
	}
	counts := make([]int, 10)
	for _, name := range []string{"train", "val"} {
		for _, l := range whole(t, ds.Split(name)).Labels {
			counts[l]++
		}
	}
	if !slices.Equal(counts, slices.Repeat([]int{1000}, 10)) {
		t.Errorf("class counts %v, want 1000 of each", counts)
	}
}

func BenchmarkOpenFashionMNIST(b *testing.B) {
	d := fashionSpec(b)
	for b.Loop() {
		opened(b, d, 42)
	}
}

func BenchmarkReadFashionMNIST(b *testing.B) {
	s := opened(b, fashionSpec(b), 42).Split("train")
	r := rand.New(rand.NewPCG(1, 1))
	records := make([]int, 32)
	var batch Batch
	b.ReportAllocs()
	b.SetBytes(32 * 784)
	for b.Loop() {
		for i := range records {
			records[i] = r.IntN(s.Len())
		}
		if err := s.Read(&batch, records, 0); err != nil {
			b.Fatal(err)
		}
	}
}
