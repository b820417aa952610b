package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/parquet-go/parquet-go"
	"golang.org/x/image/bmp"

	"lockstep/internal/job"
)

// formatSpec is a job but for its dataset's section and the first layers.
const formatSpec = `apiVersion: lockstep/v1
kind: TrainJob
metadata: {name: %s}
spec:
  seed: 11
  dataset: {%s}
  model: {layers: [%s]}
  loss: {type: %s}
  optimizer: {type: adam, learning_rate: 0.01}
  training: {epochs: 2, global_batch_size: 16, micro_batches: 4}
`

// TestSameModelFromEveryFormat trains on the same records from files of every format, and from data that was pushed: the
// models are the same.
func TestSameModelFromEveryFormat(t *testing.T) {
	inRunFolder(t)
	p := startProcess(t, nil, "up", "--coordinators", "1", "--workers", "2", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "-o", "json", "--data-dir", t.TempDir())
	p.says(&p.out, "}\n")
	var at reachable
	if err := json.Unmarshal([]byte(p.out.String()), &at); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LOCKSTEP_ADDR", at.Addresses[0])
	for _, kind := range []struct {
		name, layers, loss, more string
		datasets                 map[string]string
	}{
		{"classes", "{type: dense, units: 8, activation: relu}, {type: dense, units: 3}", "cross_entropy",
			"split: {train: 0.7, val: 0.1, test: 0.2}, preprocessing: [{type: standardize}], augmentation: [{type: gaussian_noise, stddev: 0.1}, {type: mixup, alpha: 0.3}]", writeTables(t)},
		{"numbers", "{type: dense, units: 8, activation: relu}, {type: dense, units: 1}", "mse",
			"split: {train: 0.8, test: 0.2}, augmentation: [{type: mixup, alpha: 0.3}]", writeRegressions(t)},
		{"images", "{type: conv2d, filters: 4, kernel_size: 3}, {type: flatten}, {type: dense, units: 3}", "cross_entropy",
			"split: {train: 0.8, test: 0.2, stratified: true}, preprocessing: [{type: rescale, scale: 0.01}], augmentation: [{type: random_flip, horizontal: true}, {type: random_crop, pixels: 1}, {type: mixup, alpha: 0.3}]", writePictures(t)},
	} {
		first := ""
		for name, section := range kind.datasets {
			digest := submitted(t, fmt.Sprintf("%s-%s", kind.name, name), section+", "+kind.more, kind.layers, kind.loss)
			if first == "" {
				first = digest
			}
			if digest != first {
				t.Errorf("%s from %s: the model is %s, from others %s", kind.name, name, digest, first)
			}
		}
	}
	p.signal(syscall.SIGTERM)
	p.wait()
}

// submitted trains a job on a dataset, and returns its model's digest. Data called pushed is put into the cluster first.
func submitted(t *testing.T, name, section, layers, loss string) string {
	t.Helper()
	if strings.HasSuffix(name, "-pushed") {
		command(t, "dataset", "push", name, "all").want(t, 0, nil, nil)
		section = strings.Replace(section, "source: all", "source: dataset://"+name, 1)
	}
	write(t, name+".yaml", fmt.Sprintf(formatSpec, name, section, layers, loss))
	r := command(t, "job", "submit", name+".yaml", "-o", "json")
	var v job.View
	if err := json.Unmarshal([]byte(r.out), &v); err != nil || v.State != "SUCCEEDED" {
		t.Fatalf("%s: %v\n%s%s", name, err, r.out, r.err)
	}
	return v.ModelDigest
}

// put writes a file into the folder of data.
func put(t *testing.T, name string, content []byte) {
	t.Helper()
	path := filepath.Join("all", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func putParquet[T any](t *testing.T, name string, rows []T) {
	t.Helper()
	var b bytes.Buffer
	if err := parquet.Write(&b, rows); err != nil {
		t.Fatal(err)
	}
	put(t, name, b.Bytes())
}

// npy lays out a file of NumPy's; data are the elements in the type's Go form.
func npy(t *testing.T, descr, shape string, data any) []byte {
	t.Helper()
	h := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", descr, shape)
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(h)), byte(len(h)>>8))
	b, err := binary.Append(append(b, h...), binary.LittleEndian, data)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func idx(t *testing.T, kind byte, dims []uint32, data any) []byte {
	t.Helper()
	b, err := binary.Append([]byte{0, 0, kind, byte(len(dims))}, binary.BigEndian, dims)
	if err == nil {
		b, err = binary.Append(b, binary.BigEndian, data)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func npz(t *testing.T, x, y []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range map[string][]byte{"x_train.npy": x, "y_train.npy": y} {
		e, err := w.Create(name)
		if err == nil {
			_, err = e.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// flower is a record of three numbers and a class, as columns and as an array.
type flower struct {
	A     float64 `parquet:"a" json:"a"`
	B     int32   `parquet:"b" json:"b"`
	C     float32 `parquet:"c" json:"c"`
	Class int64   `parquet:"class" json:"class"`
}

type flowerArray struct {
	X     []float64 `parquet:"x,list" json:"x"`
	Class string    `parquet:"class" json:"class"`
}

const flowers = 120

// writeTables writes a table in every format, and returns dataset sections.
func writeTables(t *testing.T) map[string]string {
	r := rand.New(rand.NewPCG(1, 2))
	var csv, lines, arrays strings.Builder
	var x []float64
	var y []int64
	var small []byte
	var rows []flower
	var lists []flowerArray
	csv.WriteString("a,b,c,class\n")
	for range flowers {
		f := flower{r.NormFloat64(), int32(r.IntN(100)) - 50, r.Float32(), int64(r.IntN(3))}
		list := flowerArray{[]float64{f.A, float64(f.B), float64(f.C)}, fmt.Sprint(f.Class)}
		fmt.Fprintf(&csv, "%v,%d,%v,%d\n", f.A, f.B, f.C, f.Class)
		one, _ := json.Marshal(f)
		two, _ := json.Marshal(list)
		lines.Write(append(one, '\n'))
		arrays.Write(append(two, '\n'))
		rows, lists = append(rows, f), append(lists, list)
		x, y, small = append(x, list.X...), append(y, f.Class), append(small, byte(f.Class))
	}
	put(t, "f.csv", []byte(csv.String()))
	put(t, "f.csv.gz", gzipped(t, csv.String()))
	put(t, "f.tsv", []byte(strings.ReplaceAll(csv.String(), ",", "\t")))
	put(t, "f.jsonl", []byte(lines.String()))
	put(t, "arrays.jsonl", []byte(arrays.String()))
	putParquet(t, "f.parquet", rows)
	putParquet(t, "arrays.parquet", lists)
	fx, fy := npy(t, "<f8", fmt.Sprintf("(%d, 3)", flowers), x), npy(t, "<i8", fmt.Sprintf("(%d,)", flowers), y)
	put(t, "fx.npy", fx)
	put(t, "fy.npy", fy)
	put(t, "f.npz", npz(t, fx, fy))
	put(t, "fx.idx", idx(t, 0x0E, []uint32{flowers, 3}, x))
	put(t, "fy.idx", idx(t, 0x08, []uint32{flowers}, small))
	const class, array = "target: {column: class, type: category}", "features: [{column: x, type: number}]"
	return map[string]string{
		"csv":           "format: csv, source: all, train: {file: f.csv}, " + class,
		"gzip":          "format: csv, source: all, train: {file: f.csv.gz}, " + class,
		"tsv":           `format: csv, source: all, train: {file: f.tsv}, delimiter: "\t", ` + class,
		"jsonl":         "format: jsonl, source: all, train: {file: f.jsonl}, " + class,
		"jsonl-array":   "format: jsonl, source: all, train: {file: arrays.jsonl}, " + array + ", " + class,
		"parquet":       "format: parquet, source: all, train: {file: f.parquet}, " + class,
		"parquet-array": "format: parquet, source: all, train: {file: arrays.parquet}, " + array + ", " + class,
		"npy":           "format: npy, source: all, train: {images: fx.npy, labels: fy.npy}",
		"npz":           "format: npz, source: all, train: {file: f.npz}",
		"idx":           "format: idx, source: all, train: {images: fx.idx, labels: fy.idx}",
		"pushed":        "format: csv, source: all, train: {file: f.csv}, " + class,
	}
}

// writeRegressions writes records whose targets are whole numbers.
func writeRegressions(t *testing.T) map[string]string {
	r := rand.New(rand.NewPCG(3, 4))
	var csv strings.Builder
	var x []float32
	var y []int32
	csv.WriteString("a,b,price\n")
	for range flowers {
		a, b, price := r.Float32(), r.Float32(), int32(r.IntN(1000))
		fmt.Fprintf(&csv, "%v,%v,%d\n", a, b, price)
		x, y = append(x, a, b), append(y, price)
	}
	put(t, "p.csv", []byte(csv.String()))
	px, py := npy(t, "<f4", fmt.Sprintf("(%d, 2)", flowers), x), npy(t, "<i4", fmt.Sprintf("(%d, 1)", flowers), y)
	put(t, "px.npy", px)
	put(t, "py.npy", py)
	put(t, "p.npz", npz(t, px, py))
	put(t, "px.idx", idx(t, 0x0D, []uint32{flowers, 2}, x))
	put(t, "py.idx", idx(t, 0x0C, []uint32{flowers}, y))
	return map[string]string{
		"csv": "format: csv, source: all, train: {file: p.csv}, target: {column: price, type: number}",
		"npy": "format: npy, source: all, train: {images: px.npy, labels: py.npy}, target: {type: number}",
		"npz": "format: npz, source: all, train: {file: p.npz}, target: {type: number}",
		"idx": "format: idx, source: all, train: {images: px.idx, labels: py.idx}, target: {type: number}",
	}
}

const pictures, side = 60, 6

// drawing is a record with an image in it.
type drawing struct {
	X     [][]int32 `parquet:"x,list" json:"x"`
	Class int32     `parquet:"class" json:"class"`
}

// writePictures writes grey images in every format, in the order of folders: by class, then by name.
func writePictures(t *testing.T) map[string]string {
	r := rand.New(rand.NewPCG(5, 6))
	var pixels, labels []byte
	var lines strings.Builder
	var grids []drawing
	for i := range pictures {
		class := i * 3 / pictures
		img := image.NewGray(image.Rect(0, 0, side, side))
		grid := drawing{Class: int32(class), X: make([][]int32, side)}
		for k := range img.Pix {
			img.Pix[k] = byte(r.IntN(256))
			grid.X[k/side] = append(grid.X[k/side], int32(img.Pix[k]))
		}
		pixels, labels = append(pixels, img.Pix...), append(labels, byte(class))
		grids = append(grids, grid)
		text, _ := json.Marshal(grid)
		lines.Write(append(text, '\n'))
		name := fmt.Sprintf("%d/%02d", class, i)
		var b bytes.Buffer
		for _, kind := range []struct {
			name   string
			encode func() error
		}{
			{"png", func() error { return png.Encode(&b, img) }},
			{"bmp", func() error { return bmp.Encode(&b, img) }},
			{"gif", func() error { return gif.Encode(&b, greyPalette(img), nil) }},
		} {
			b.Reset()
			if err := kind.encode(); err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(kind.name, name+"."+kind.name), b.Bytes())
		}
	}
	put(t, "i.jsonl", []byte(lines.String()))
	putParquet(t, "i.parquet", grids)
	ix, iy := npy(t, "|u1", fmt.Sprintf("(%d, %d, %d, 1)", pictures, side, side), pixels), npy(t, "|u1", fmt.Sprintf("(%d,)", pictures), labels)
	put(t, "ix.npy", ix)
	put(t, "iy.npy", iy)
	put(t, "i.npz", npz(t, ix, iy))
	put(t, "ix.idx", idx(t, 0x08, []uint32{pictures, side, side}, pixels))
	put(t, "iy.idx", idx(t, 0x08, []uint32{pictures}, labels))
	const grey = ", image: {color_mode: grayscale}"
	return map[string]string{
		"idx":     "format: idx, source: all, train: {images: ix.idx, labels: iy.idx}",
		"npy":     "format: npy, source: all, train: {images: ix.npy, labels: iy.npy}",
		"npz":     "format: npz, source: all, train: {file: i.npz}",
		"jsonl":   "format: jsonl, source: all, train: {file: i.jsonl}, features: [{column: x, type: number}], target: {column: class, type: category}",
		"parquet": "format: parquet, source: all, train: {file: i.parquet}, features: [{column: x, type: number}], target: {column: class, type: category}",
		"png":     "format: image_folder, source: all, train: {file: png}" + grey,
		"bmp":     "format: image_folder, source: all, train: {file: bmp}" + grey,
		"gif":     "format: image_folder, source: all, train: {file: gif}" + grey,
		"pushed":  "format: image_folder, source: all, train: {file: png}" + grey,
	}
}

// greyPalette is an image with a palette of all greys.
func greyPalette(img *image.Gray) *image.Paletted {
	greys := make(color.Palette, 256)
	for i := range greys {
		greys[i] = color.Gray{Y: byte(i)}
	}
	out := image.NewPaletted(img.Bounds(), greys)
	copy(out.Pix, img.Pix)
	return out
}
