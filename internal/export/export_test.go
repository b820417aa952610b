package export

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample has the cases that the format distinguishes: a scalar, an empty tensor, names that need an escape, values
// whose bits matter. It is not in the order of its names.
func sample() []Tensor {
	negZero := float32(math.Copysign(0, -1))
	nan := math.Float32frombits(0x7fc00123)
	return []Tensor{
		{Name: "dense/kernel", Shape: []int{2, 3}, Data: []float32{1, -2.5, 3e-40, math.MaxFloat32, negZero, nan}},
		{Name: "dense/bias", Shape: []int{3}, Data: []float32{0, 1, float32(math.Inf(-1))}},
		{Name: "scalar", Shape: nil, Data: []float32{42}},
		{Name: "empty", Shape: []int{4, 0}, Data: nil},
		{Name: `q"uo\te é <&> ` + "\u2028", Shape: []int{1}, Data: []float32{7}},
	}
}

func encode(t testing.TB, ts []Tensor) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteSafetensors(&b, ts); err != nil {
		t.Fatalf("WriteSafetensors: %v", err)
	}
	return b.Bytes()
}

// file makes a safetensors file from a header as written and n data bytes.
func file(header string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, n)...)
}

func TestWriteExactBytes(t *testing.T) {
	got := encode(t, []Tensor{
		{Name: "b", Shape: []int{1, 2}, Data: []float32{1, -2}},
		{Name: "a", Shape: []int{}, Data: []float32{0.5}},
	})
	header := `{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1,2],"data_offsets":[4,12]}}`
	header += strings.Repeat(" ", (8-len(header)%8)%8)
	want := append(file(header, 0), 0, 0, 0, 0x3f, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0)
	if !bytes.Equal(got, want) {
		t.Errorf("bytes differ:\n got %q\nwant %q", got, want)
	}
	if got := encode(t, nil); !bytes.Equal(got, file("{}      ", 0)) {
		t.Errorf("no tensors: got %q", got)
	}
}

func TestRoundTripIsExactAndSorted(t *testing.T) {
	in := sample()
	data := encode(t, in)
	if n := binary.LittleEndian.Uint64(data); n%8 != 0 {
		t.Errorf("header of %d bytes is not aligned to 8", n)
	}
	out, err := ReadSafetensors(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	want, err := sorted(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bitsOf(want), bitsOf(out)); diff != "" {
		t.Errorf("round trip (-want +got):\n%s", diff)
	}
	if !slices.IsSortedFunc(out, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("tensors are not in the order of their names")
	}
}

// bitsOf makes tensors comparable bit by bit: NaN equals itself, -0 differs from 0.
func bitsOf(ts []Tensor) map[string][]any {
	m := map[string][]any{}
	for _, t := range ts {
		bits := []uint32{}
		for _, v := range t.Data {
			bits = append(bits, math.Float32bits(v))
		}
		m[t.Name] = []any{append([]int{}, t.Shape...), bits}
	}
	return m
}

func TestDigestIsOfTheFile(t *testing.T) {
	ts := sample()
	sum := sha256.Sum256(encode(t, ts))
	want := "sha256:" + hex.EncodeToString(sum[:])
	slices.Reverse(ts)
	got, err := Digest(ts)
	if err != nil || got != want {
		t.Errorf("Digest = %q, %v; want %q", got, err, want)
	}
	// A long tensor crosses the write buffer.
	ts[0] = Tensor{Name: "long", Shape: []int{50001}, Data: make([]float32, 50001)}
	ts[0].Data[50000] = 1
	sum = sha256.Sum256(encode(t, ts))
	if got, _ := Digest(ts); got != "sha256:"+hex.EncodeToString(sum[:]) || got == want {
		t.Errorf("Digest of a long tensor = %q", got)
	}
}

func TestWriteRefuses(t *testing.T) {
	one := []float32{1}
	for name, ts := range map[string][]Tensor{
		"no name":         {{Shape: []int{1}, Data: one}},
		"reserved name":   {{Name: "__metadata__", Shape: []int{1}, Data: one}},
		"control":         {{Name: "a\nb", Shape: []int{1}, Data: one}},
		"not UTF-8":       {{Name: "\xff", Shape: []int{1}, Data: one}},
		"twice":           {{Name: "a", Shape: []int{1}, Data: one}, {Name: "a", Shape: []int{1}, Data: one}},
		"short data":      {{Name: "a", Shape: []int{2}, Data: one}},
		"negative":        {{Name: "a", Shape: []int{-1, -1}, Data: one}},
		"overflowing":     {{Name: "a", Shape: []int{math.MaxInt, math.MaxInt}, Data: one}},
		"overflow to len": {{Name: "a", Shape: []int{1 << 32, 1 << 32, 1}, Data: nil}},
	} {
		if err := WriteSafetensors(io.Discard, ts); err == nil {
			t.Errorf("%s: written", name)
		}
		if _, err := Digest(ts); err == nil {
			t.Errorf("%s: digested", name)
		}
	}
}

type failingWriter struct{ left int }

func (w *failingWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return 0, errDisk
	}
	w.left -= len(p)
	return len(p), nil
}

var errDisk = errors.New("disk")

func TestWriteReportsWriterErrors(t *testing.T) {
	ts := sample()
	total := len(encode(t, ts))
	for left := range total {
		if err := WriteSafetensors(&failingWriter{left}, ts); !errors.Is(err, errDisk) {
			t.Fatalf("room for %d of %d bytes: error %v", left, total, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	const a = `"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`
	for name, data := range map[string][]byte{
		"empty":            nil,
		"short length":     {1, 2, 3},
		"header limit":     {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"short header":     file(`{`+a+`}`, 4)[:20],
		"not JSON":         file(`nonsense`, 0),
		"array":            file(`[]`, 0),
		"unclosed":         file(`{`+a, 4),
		"trailing comma":   file(`{`+a+`,}`, 4),
		"text after":       file(`{`+a+`} x`, 4),
		"same name twice":  file(`{`+a+`,"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8),
		"unknown field":    file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}`, 4),
		"F64":              file(`{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}`, 8),
		"no shape":         file(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4),
		"no offsets":       file(`{"a":{"dtype":"F32","shape":[1]}}`, 4),
		"three offsets":    file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}`, 4),
		"fraction":         file(`{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}`, 4),
		"wrong size":       file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4),
		"negative shape":   file(`{"a":{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}}`, 4),
		"backwards":        file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4),
		"gap at start":     file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 4),
		"gap":              file(`{`+a+`,"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`, 8),
		"overlap":          file(`{`+a+`,"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4),
		"shape overflows":  file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0),
		"short data":       file(`{`+a+`}`, 3),
		"trailing data":    file(`{`+a+`}`, 5),
		"metadata numbers": file(`{"__metadata__":{"x":1},`+a+`}`, 4),
	} {
		if ts, err := ReadSafetensors(bytes.NewReader(data)); err == nil {
			t.Errorf("%s: read as %v", name, ts)
		}
	}
}

func TestReadAcceptsOtherWriters(t *testing.T) {
	data := file("{\n \"__metadata__\": {\"format\": \"pt\"}, \"b\":{\"data_offsets\":[0,4],\"shape\":[1],\"dtype\":\"F32\"},"+
		"\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]} }  ", 8)
	data[len(data)-5] = 0x40 // b = 2
	ts, err := ReadSafetensors(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	want := []Tensor{{"a", []int{1}, []float32{0}}, {"b", []int{1}, []float32{2}}}
	if diff := cmp.Diff(want, ts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHostileHeaderAllocatesLittle(t *testing.T) {
	data := file(`{"a":{"dtype":"F32","shape":[1073741824,1024],"data_offsets":[0,4398046511104]}}`, 16)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := ReadSafetensors(bytes.NewReader(data)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want unexpected EOF", err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
		t.Errorf("a file of %d bytes made the reader allocate %d", len(data), got)
	}
}

func FuzzReadSafetensors(f *testing.F) {
	f.Add(encode(f, sample()))
	f.Add(encode(f, nil))
	f.Add(file(`{"__metadata__":{"a":"b"},"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4))
	f.Add(file(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"b":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4))
	f.Fuzz(func(t *testing.T, data []byte) {
		ts, err := ReadSafetensors(bytes.NewReader(data))
		if err != nil {
			return
		}
		again := encode(t, ts)
		back, err := ReadSafetensors(bytes.NewReader(again))
		if err != nil {
			t.Fatalf("own output refused: %v", err)
		}
		if diff := cmp.Diff(bitsOf(ts), bitsOf(back)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}
