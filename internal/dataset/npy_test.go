package dataset

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lockstep/internal/source"
	"lockstep/internal/spec"
)

// npyFile lays out an npy file of version 1.
func npyFile(descr string, fortran bool, shape string, data any) []byte {
	order, text := binary.ByteOrder(binary.LittleEndian), "False"
	if strings.HasPrefix(descr, ">") {
		order = binary.BigEndian
	}
	if fortran {
		text = "True"
	}
	h := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", descr, text, shape)
	b := append([]byte(npyMagic), 1, 0)
	b = append(binary.LittleEndian.AppendUint16(b, uint16(len(h))), h...)
	b, err := binary.Append(b, order, data)
	if err != nil {
		panic(err)
	}
	return b
}

func npzFile(arrays map[string][]byte) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range arrays {
		e, err := w.Create(name + ".npy")
		if err != nil {
			panic(err)
		}
		e.Write(content)
	}
	w.Close()
	return b.Bytes()
}

// python runs a script of an independent implementation; the test is skipped without it.
func python(t *testing.T, module, script string, args ...string) {
	t.Helper()
	if err := exec.Command("/usr/bin/python3", "-c", "import "+module).Run(); err != nil {
		t.Skipf("needs python3 with %s", module)
	}
	if out, err := exec.Command("/usr/bin/python3", append([]string{"-c", script}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// NumPy writes every type, order and version that is read; the numbers are i*j+k-3 of record i.
func TestNumPyFiles(t *testing.T) {
	dir := t.TempDir()
	python(t, "numpy", `
import sys, numpy as np
d = sys.argv[1]
a = np.fromfunction(lambda i, j, k: i*j+k-3, (700, 5, 3))
for kind in ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]:
    for order in "<>":
        for layout in "CF":
            x = a % 120 if kind in ("i1", "u1") else abs(a) if kind[0] == "u" else a
            np.save(f"{d}/{kind}{'le' if order == '<' else 'be'}{layout}.npy", np.asarray(x, dtype=order+kind, order=layout))
np.lib.format.write_array(open(f"{d}/v3.npy", "wb"), a.astype("f4"), version=(3, 0))
np.savez_compressed(f"{d}/a.npz", x_train=a[:600].astype("f4"), y_train=np.arange(600) % 7, x_test=a[600:].astype("f4"), y_test=np.arange(100) % 7)
`, dir)
	paths, _ := filepath.Glob(filepath.Join(dir, "*.npy"))
	if len(paths) != 45 {
		t.Fatalf("%d files", len(paths))
	}
	for _, path := range paths {
		name := filepath.Base(path)
		ds := opened(t, spec.Dataset{Format: "npy", Source: dir, Train: spec.Files{Images: name}}, 1)
		if shape := ds.Info().Shape; !slices.Equal(shape, []int{5, 3, 1}) {
			t.Errorf("%s: shape %v", name, shape)
		}
		for at, got := range whole(t, ds.Split("train")).X {
			want := float32(at/15*(at/3%5) + at%3 - 3)
			switch name[:2] {
			case "i1", "u1":
				want = float32((int(want) + 1200) % 120)
			case "u2", "u4", "u8":
				want = float32(math.Abs(float64(want)))
			case "f2":
				want = float32(halfRounded(want))
			}
			if got != want {
				t.Fatalf("%s: element %d is %v, want %v", name, at, got, want)
			}
		}
	}
	ds := opened(t, spec.Dataset{Format: "npz", Source: filepath.Join(dir, "a.npz")}, 1)
	if i := ds.Info(); i.Train != 600 || i.Test != 100 || i.ClassCount != 7 {
		t.Errorf("npz: %+v", i)
	}
	if b := whole(t, ds.Split("test")); b.X[4] != 600*1+1-3 || b.Labels[8] != 1 {
		t.Errorf("npz: %v %v", b.X[4], b.Labels[8])
	}
}

// halfRounded is x to 11 bits: enough for the whole numbers of the test above.
func halfRounded(x float32) float64 {
	f, e := math.Frexp(float64(x))
	return math.Ldexp(math.RoundToEven(f*2048)/2048, e)
}

func TestHalf(t *testing.T) {
	for bits, want := range map[uint16]float64{0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0400: math.Ldexp(1, -14), 0x0001: math.Ldexp(1, -24), 0x8000: 0, 0x7c00: math.Inf(1), 0xfc00: math.Inf(-1), 0x3555: 0.333251953125} {
		if got := half(bits); got != want {
			t.Errorf("%#04x is %v, want %v", bits, got, want)
		}
	}
	if !math.IsNaN(half(0x7e00)) {
		t.Error("0x7e00 is a number")
	}
}

func TestNpyBad(t *testing.T) {
	good := npyFile("<f4", false, "(2, 2)", []float32{1, 2, 3, 4})
	edit := func(old, new string) []byte { return bytes.Replace(good, []byte(old), []byte(new), 1) }
	lim := limits{total: 1000, record: 200, values: 3}
	for name, c := range map[string]struct {
		x    []byte
		want string
	}{
		"empty":        {nil, "the file ends inside the npy header"},
		"csv":          {[]byte("a,b,c,class\n"), `not an npy file: it begins with "a,b,c,"`},
		"version":      {append([]byte(npyMagic), 9, 0), "npy version 9.0: want 1 to 3"},
		"long header":  {append([]byte(npyMagic), 2, 0, 0xff, 0xff, 0xff, 0xff), "an npy header of 4294967295 bytes, over the limit of 65536"},
		"short header": {good[:30], "the file ends inside the npy header"},
		"complex":      {edit("<f4", "<c8"), `elements of type "<c8": want bool, int8 to int64, uint8 to uint64 or float16 to float64`},
		"objects":      {edit("'<f4'", "'|O' "), "an array of Python objects: save numbers, with a dtype such as float32"},
		"fields":       {edit("'<f4'", "[('a'"), "a structured array: save each field as an array of its own"},
		"scalar":       {edit("(2, 2)", "()    "), "a single number: the first axis has to count records"},
		"negative":     {edit("(2, 2)", "(-2,2)"), `npy header: no shape in "{'descr': '<f4', 'fortran_order': False,"...`},
		"short":        {good[:len(good)-1], "record 2: the file ends here: its header announces 2 records"},
		"long":         {append(slices.Clone(good), 0), "there is data after the 2 records that the header announces"},
		"huge":         {npyFile("<f4", false, "(9999999999999,)", []byte{}), "9999999999999 elements, over the limit of 1000 bytes"},
		"huge record":  {edit("(2, 2)", "(2, 51)"), "records of 51 elements, over the limit of 50"},
		"not a number": {npyFile("<f8", false, "(1, 2)", []float64{1, math.NaN()}), "record 1: element 1 is NaN"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string][]byte{"x": c.x})
			refused(t, spec.Dataset{Format: "npy", Source: dir, Train: spec.Files{Images: "x"}}, lim, dir, "read train files: x: "+c.want)
		})
	}
}

func TestNpzBad(t *testing.T) {
	x, y := npyFile("|u1", false, "(2, 2)", []byte{1, 2, 3, 4}), npyFile("<i8", false, "(2,)", []int64{5, 6})
	good := npzFile(map[string][]byte{"x_train": x, "y_train": y})
	spoilt := slices.Clone(good)
	spoilt[60] ^= 1
	var bomb bytes.Buffer
	w := zip.NewWriter(&bomb)
	w.CreateRaw(&zip.FileHeader{Name: "x.npy", Method: zip.Deflate, CompressedSize64: 3, UncompressedSize64: 1 << 40})
	w.Close()
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"not zip":   {x, "read train files: a.npz: not a zip archive, or a truncated one"},
		"truncated": {good[:len(good)-5], "read train files: a.npz: not a zip archive, or a truncated one"},
		"names":     {npzFile(map[string][]byte{"images": x}), `read train files: a.npz: no array x_train or x; there are "images"`},
		"labels":    {npzFile(map[string][]byte{"x": x, "y": npyFile("|u1", false, "(3,)", []byte{1, 2, 3})}), "read train files: a.npz/y.npy: 3 labels for the 2 records of a.npz/x.npy"},
		"not npy":   {npzFile(map[string][]byte{"x": []byte("no array")}), `read train files: a.npz/x.npy: not an npy file: it begins with "no arr"`},
		"bomb":      {bomb.Bytes(), "read train files: a.npz/x.npy: 3 bytes would become 1099511627776: this looks like a zip bomb"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string][]byte{"a.npz": c.content})
			_, err := Open(t.Context(), spec.Dataset{Format: "npz", Source: dir, Train: spec.Files{File: "a.npz"}}, 1)
			if err == nil {
				t.Fatal("no error")
			}
			got := strings.ReplaceAll(err.Error(), dir+"/", "")
			if got != c.want {
				t.Errorf("error %s\nwant  %s", got, c.want)
			}
		})
	}
	dir := folder(t, map[string][]byte{"a.npz": spoilt})
	if _, err := Open(t.Context(), spec.Dataset{Format: "npz", Source: dir, Train: spec.Files{File: "a.npz"}}, 1); err == nil {
		t.Error("a spoilt archive is accepted")
	}
}

// The digits as an archive are the digits as a table.
func TestSameFingerprintFromNpz(t *testing.T) {
	want := opened(t, digitsSpec(), 42).Info().Fingerprint
	tree, err := source.Open(exampleData)
	if err != nil {
		t.Fatal(err)
	}
	f, err := openFile(t.Context(), tree, "digits.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	var x []float64
	var y []int16
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), ",")
		for _, c := range cells[:64] {
			v, _ := number(c)
			x = append(x, float64(v))
		}
		v, _ := number(cells[64])
		y = append(y, int16(v))
	}
	content := npzFile(map[string][]byte{
		"x_train": npyFile(">f8", false, "(1797, 8, 8)", x), "y_train": npyFile("<i2", false, "(1797, 1)", y)})
	path := filepath.Join(t.TempDir(), "digits.npz")
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	ds := opened(t, spec.Dataset{Format: "npz", Source: path, Split: &spec.Split{Train: 0.8, Test: 0.2}}, 42)
	if got := ds.Info().Fingerprint; got != want {
		t.Errorf("fingerprint %x, want %x", got, want)
	}
}

// FuzzNpy holds no more than the limits allow, and as much as the header says.
func FuzzNpy(f *testing.F) {
	f.Add(npyFile("<f4", true, "(2, 3)", make([]float32, 6)))
	f.Add(npyFile(">i8", false, "(2,)", make([]int64, 2)))
	f.Add(npyFile("<f2", false, "(1, 2, 2)", make([]uint16, 4)))
	f.Add([]byte(npyMagic))
	lim := limits{total: 4096, record: 512, values: 16}
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := opener(content)
		if err != nil {
			return
		}
		a, err := readNpy(file, lim)
		var e *RecordError
		if err != nil {
			if !errors.As(err, &e) {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		held := 0
		for _, b := range a.blocks {
			held += len(b)
		}
		if int64(held) > lim.total || held != a.n*a.size() {
			t.Fatalf("%d bytes held of %d records of %d elements", held, a.n, a.elements)
		}
	})
}

// FuzzNpz opens any archive.
func FuzzNpz(f *testing.F) {
	x, y := npyFile("|u1", false, "(2, 2)", []byte{1, 2, 3, 4}), npyFile("<i8", false, "(2,)", []int64{5, 6})
	f.Add(npzFile(map[string][]byte{"x": x, "y": y}))
	f.Add(npzFile(map[string][]byte{"x_train": x}))
	lim := limits{total: 4096, record: 512, values: 16}
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "a.npz")
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		ds, err := open(t.Context(), spec.Dataset{Format: "npz", Source: path}, 1, lim)
		var e *RecordError
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("error without a place: %v", err)
		}
		if err == nil {
			whole(t, ds.Split("train"))
		}
	})
}
