package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"lockstep/internal/spec"
)

func TestIdxGood(t *testing.T) {
	labels := idxFile(idxUbyte, []uint32{2}, []byte{7, 3})
	for name, c := range map[string]struct {
		x, y          []byte
		shape, target []int
		wantX, wantY  []float32
		labels        []int32
		classes       []string
	}{
		"planes": {x: idxFile(idxUbyte, []uint32{2, 1, 2}, []byte{0, 1, 254, 255}), y: labels, shape: []int{1, 2, 1}, wantX: []float32{0, 1, 254, 255},
			labels: []int32{1, 0}, classes: []string{"3", "7"}},
		"colours": {x: idxFile(idxUbyte, []uint32{2, 1, 1, 3}, []byte{1, 2, 3, 4, 5, 6}), y: labels, shape: []int{1, 1, 3}, wantX: []float32{1, 2, 3, 4, 5, 6},
			labels: []int32{1, 0}, classes: []string{"3", "7"}},
		"vectors of int8": {x: idxFile(idxByte, []uint32{2, 2}, []int8{-128, 127, -1, 0}), y: labels, shape: []int{2}, wantX: []float32{-128, 127, -1, 0},
			labels: []int32{1, 0}, classes: []string{"3", "7"}},
		"int16": {x: idxFile(idxShort, []uint32{2}, []int16{-300, 300}), y: idxFile(idxInt, []uint32{2}, []int32{-70000, 70000}), shape: []int{1}, wantX: []float32{-300, 300},
			labels: []int32{0, 1}, classes: []string{"-70000", "70000"}},
		"int32": {x: idxFile(idxInt, []uint32{2}, []int32{-1 << 30, 5}), y: idxFile(idxFloat, []uint32{2}, []float32{0.5, -0.5}), shape: []int{1}, target: []int{1},
			wantX: []float32{-1 << 30, 5}, wantY: []float32{0.5, -0.5}},
		"float": {x: idxFile(idxFloat, []uint32{2}, []float32{math.MaxFloat32, -1}), y: idxFile(idxUbyte, []uint32{2, 2}, []byte{1, 2, 3, 4}), shape: []int{1}, target: []int{2},
			wantX: []float32{math.MaxFloat32, -1}, wantY: []float32{1, 2, 3, 4}},
		"double": {x: idxFile(idxDouble, []uint32{2}, []float64{0.1, -1}), y: labels, shape: []int{1}, wantX: []float32{0.1, -1},
			labels: []int32{1, 0}, classes: []string{"3", "7"}},
		"own targets": {x: idxFile(idxUbyte, []uint32{2, 1, 2}, []byte{0, 1, 254, 255}), shape: []int{1, 2, 1}, target: []int{1, 2, 1},
			wantX: []float32{0, 1, 254, 255}, wantY: []float32{0, 1, 254, 255}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, wrap := range []func([]byte) []byte{bytes.Clone, zipped} {
				d := idxSpec(folder(t, map[string][]byte{"x": wrap(c.x), "y": wrap(c.y)}))
				if c.y == nil {
					d.Train.Labels = ""
				}
				ds := opened(t, d, 1)
				b := whole(t, ds.Split("train"))
				if !slices.Equal(b.X, c.wantX) || !slices.Equal(b.Labels, c.labels) || !slices.Equal(b.Y, c.wantY) {
					t.Errorf("X %v labels %v Y %v\nwant %v labels %v Y %v", b.X, b.Labels, b.Y, c.wantX, c.labels, c.wantY)
				}
				if info := ds.Info(); !slices.Equal(info.Shape, c.shape) || !slices.Equal(info.TargetShape, c.target) || !slices.Equal(info.Classes, c.classes) {
					t.Errorf("shape %v targets %v classes %v, want %v %v %v", info.Shape, info.TargetShape, info.Classes, c.shape, c.target, c.classes)
				}
			}
		})
	}
}

func TestIdxBad(t *testing.T) {
	x, y := idxFile(idxUbyte, []uint32{2, 1, 2}, []byte{0, 1, 254, 255}), idxFile(idxUbyte, []uint32{2}, []byte{0, 1})
	lim := limits{total: 1000, record: 200, values: 3}
	inf := float32(math.Inf(1))
	noise := make([]byte, 900) // does not compress
	rand.NewChaCha8([32]byte{}).Read(noise)
	for name, c := range map[string]struct {
		x, y []byte
		want string
	}{
		"empty":         {nil, y, "read train files: x: the file ends inside the idx header"},
		"short header":  {x[:9], y, "read train files: x: the file ends inside the idx header"},
		"csv":           {[]byte("a,class\n"), y, "read train files: x: not an idx file: magic number 0x612c636c"},
		"unknown type":  {append([]byte{0, 0, 0x0A}, x[3:]...), y, "read train files: x: not an idx file: magic number 0x00000a03"},
		"no dimension":  {[]byte{0, 0, 8, 0, 1}, y, "read train files: x: not an idx file: magic number 0x00000800"},
		"no records":    {idxFile(idxUbyte, []uint32{0, 2}, []byte{}), y, "read train files: x: no records"},
		"empty records": {idxFile(idxUbyte, []uint32{2, 0, 2}, []byte{}), y, "read train files: x: records of 0x2 elements"},
		"short":         {x[:len(x)-1], y, "read train files: x: record 2: the file ends here: its header announces 2 records"},
		"long":          {append(slices.Clone(x), 0), y, "read train files: x: there is data after the 2 records that the header announces"},
		"cut off gzip":  {zipped(idxFile(idxUbyte, []uint32{18, 50}, noise))[:600], y, "read train files: x: record 12: truncated gzip stream"},
		"gzip sum":      {spoilt(zipped(x), 8), y, "read train files: x: gzip: invalid checksum"},
		"gzip header":   {zipped(x)[:5], y, "read train files: x: truncated gzip stream"},
		"huge record":   {idxFile(idxUbyte, []uint32{1, 100000, 100000}, []byte{}), y, "read train files: x: records of 100000x100000 elements, over the limit of 50"},
		"overflow":      {idxFile(idxUbyte, []uint32{1, 1 << 31, 1 << 31, 4}, []byte{}), y, "read train files: x: records of 2147483648x2147483648x4 elements, over the limit of 50"},
		"huge file":     {idxFile(idxShort, []uint32{1<<32 - 1, 2}, []byte{}), y, "read train files: x: 4294967295x2 elements, over the limit of 1000 bytes"},
		"fewer labels":  {x, idxFile(idxUbyte, []uint32{1}, []byte{0}), "read train files: y: 1 labels for the 2 records of x"},
		"many labels":   {idxFile(idxUbyte, []uint32{4}, make([]byte, 4)), idxFile(idxUbyte, []uint32{4}, []byte{1, 2, 3, 4}), "read train files: y: record 4: more than 3 different labels: if they are numbers, say target: {type: number}"},
		"infinite":      {idxFile(idxFloat, []uint32{2, 2}, []float32{1, 2, 3, inf}), y, "read train files: x: record 2: element 1 is +Inf"},
		"not a number":  {idxFile(idxDouble, []uint32{2}, []float64{math.NaN(), 1}), y, "read train files: x: record 1: element 0 is NaN"},
		"no float32":    {idxFile(idxDouble, []uint32{2}, []float64{1, 1e39}), y, "read train files: x: record 2: element 0 is 1e+39"},
		"bad target":    {x, idxFile(idxFloat, []uint32{2}, []float32{1, inf}), "read train files: y: record 2: element 0 is +Inf"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string][]byte{"x": c.x, "y": c.y})
			refused(t, idxSpec(dir), lim, dir, c.want)
		})
	}
}

// spoilt flips a bit of the byte that is n from the end.
func spoilt(b []byte, n int) []byte {
	b[len(b)-n] ^= 1
	return b
}

func TestIdxFilesThatDoNotFit(t *testing.T) {
	dir := folder(t, map[string][]byte{
		"x": idxFile(idxUbyte, []uint32{2, 1, 2}, make([]byte, 4)), "y": idxFile(idxUbyte, []uint32{2}, []byte{0, 1}),
		"x21": idxFile(idxUbyte, []uint32{2, 2, 1}, make([]byte, 4)), "y2": idxFile(idxUbyte, []uint32{2}, []byte{1, 2}),
		"yf": idxFile(idxFloat, []uint32{2}, make([]float32, 2)),
	})
	for _, c := range []struct {
		test spec.Files
		want string
	}{
		{spec.Files{Images: "x21", Labels: "y"}, "read test files: x21: records of 2x1x1 elements, but the train files have 1x2x1 elements"},
		{spec.Files{Images: "x", Labels: "y2"}, "read test files: y2: record 2: label 2 is not among the classes of the training files"},
		{spec.Files{Images: "x", Labels: "yf"}, "read test files: x: its targets are 1 numbers, but the train files have classes"},
		{spec.Files{Images: "x"}, "read test files: x: its targets are the records themselves, but the train files have classes"},
		{spec.Files{File: "x"}, `read test files: an idx dataset names its files as "images" and "labels"`},
	} {
		d := idxSpec(dir)
		d.Test = &c.test
		refused(t, d, defaultLimits, dir, c.want)
	}
}

// Bytes are preprocessed by table; the tables must give what computing gives, for one channel, few and many.
func TestIdxTablesAgreeWithComputing(t *testing.T) {
	for _, channels := range []int{1, 3, maxTables + 1} {
		data := make([]byte, 256*channels)
		for i := range data {
			data[i] = byte(i * 7)
		}
		mean, std := make([]float64, channels), make([]float64, channels)
		for c := range channels {
			mean[c], std[c] = 0.1*float64(c)-0.3, 0.7+float64(c)
		}
		d := idxSpec(folder(t, map[string][]byte{"x": idxFile(idxUbyte, []uint32{64, 2, 2, uint32(channels)}, data)}))
		d.Train.Labels = ""
		d.Preprocessing = []spec.Preprocessor{{Type: "rescale", Scale: 1 / 255., Offset: 0.01}, {Type: "standardize", Mean: mean, Std: std}}
		ds := opened(t, d, 1)
		for i, got := range whole(t, ds.Split("train")).X {
			v := float64(float64(data[i]) * (1 / 255.))
			if want := float32((v + 0.01 - mean[i%channels]) / std[i%channels]); got != want {
				t.Fatalf("%d channels, element %d: %v, want %v", channels, i, got, want)
			}
		}
		if tables := len(ds.Split("train").part.records.(*arrayRecords).tables); (tables == 0) != (channels > maxTables) {
			t.Fatalf("%d channels: %d tables", channels, tables)
		}
	}
}

// FuzzIdx reads the accepted files again by the simplest means, and bounds what is held.
func FuzzIdx(f *testing.F) {
	for _, b := range [][]byte{
		idxFile(idxUbyte, []uint32{2, 1, 2}, []byte{0, 1, 254, 255}), idxFile(idxByte, []uint32{3}, []int8{-1, 0, 1}),
		idxFile(idxShort, []uint32{2, 2}, []int16{1, -2, 3, -4}), idxFile(idxInt, []uint32{1}, []int32{-70000}),
		idxFile(idxFloat, []uint32{1, 2}, []float32{1.5, -2}), idxFile(idxDouble, []uint32{2}, []float64{1e300, math.NaN()}),
		{0, 0, 8, 1, 0xff, 0xff, 0xff, 0xff}, {0, 0, 8, 255}, {},
	} {
		f.Add(b)
		f.Add(zipped(b))
	}
	lim := limits{total: 4096, record: 512, values: 16}
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := opener(content)
		if err != nil {
			return
		}
		a, err := readIdx(file, lim)
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
		if int64(held) > lim.total || held != a.n*a.elements*a.element.size {
			t.Fatalf("%d bytes held of %d records of %d elements, limit %d", held, a.n, a.elements, lim.total)
		}
		file, _ = opener(content)
		plain, err := io.ReadAll(file)
		if err != nil {
			t.Fatalf("accepted, but reading says: %v", err)
		}
		kind := plain[2]
		plain = plain[4+4*int(plain[3]):]
		for i := range a.n {
			for j := range a.elements {
				at := plain[(i*a.elements+j)*a.element.size:]
				var want float64
				switch kind {
				case idxUbyte:
					want = float64(at[0])
				case idxByte:
					want = float64(int8(at[0]))
				case idxShort:
					want = float64(int16(binary.BigEndian.Uint16(at)))
				case idxInt:
					want = float64(int32(binary.BigEndian.Uint32(at)))
				case idxFloat:
					want = float64(math.Float32frombits(binary.BigEndian.Uint32(at)))
				case idxDouble:
					want = math.Float64frombits(binary.BigEndian.Uint64(at))
				}
				if got := a.number(a.record(i), j); got != want {
					t.Fatalf("record %d, element %d: %v, want %v", i, j, got, want)
				}
			}
		}
	})
}

func TestIdxManyBlocks(t *testing.T) {
	data := make([]byte, 3*arrayBlock+4321*7)
	data = data[:len(data)/7*7]
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	d := idxSpec(folder(t, map[string][]byte{"x": idxFile(idxUbyte, []uint32{uint32(len(data) / 7), 7}, data)}))
	d.Train.Labels = ""
	for i, x := range whole(t, opened(t, d, 1).Split("train")).X {
		if x != float32(data[i]) {
			t.Fatalf("element %d: %v, want %d", i, x, data[i])
		}
	}
}
