package ckpt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"lockstep/internal/rng"
)

var update = flag.Bool("update", false, "write the files in testdata")

// sample has a value of everything, with bits that a careless copy would change.
func sample() *State {
	return &State{
		Step:       1<<40 + 7,
		Epoch:      3,
		SpecHash:   [32]byte{1, 2, 3, 31: 4},
		LedgerHead: [32]byte{5, 31: 6},
		Scales:     []int32{-3, 0, math.MaxInt32, math.MinInt32},
		Ints:       []Int{{"plateau/wait", 2}, {"a", math.MinInt64}},
		Floats:     []Float{{"best", math.Inf(1)}, {"nan", math.Float64frombits(0x7ff8000000000123)}, {"-0", math.Copysign(0, -1)}},
		Aux:        []byte("vocabulary\x00"),
		Tensors: []Tensor{
			{"empty", []int{0, 5}, nil},
			{"dense/kernel", []int{2, 3}, []float32{1, -2, 3e-40, math.MaxFloat32, math.Float32frombits(0x7fc00123), float32(math.Copysign(0, -1))}},
			{"scalar", nil, []float32{4}},
			{"slot/m/dense/kernel", []int{2, 3}, []float32{6, 5, 4, 3, 2, 1}},
			{"also empty", []int{0}, nil},
		},
	}
}

func encode(t testing.TB, s *State) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Encode(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bits compares floating-point numbers by their bits, and empty slices as equal.
var bits = cmp.Options{
	cmp.Transformer("float32bits", func(v []float32) []uint32 {
		out := make([]uint32, 0, len(v))
		for _, x := range v {
			out = append(out, math.Float32bits(x))
		}
		return out
	}),
	cmp.Transformer("float64bits", math.Float64bits),
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Shape" }, cmp.Transformer("shape", func(v []int) []int {
		return append([]int{}, v...)
	})),
}

func TestRoundTripKeepsEveryBit(t *testing.T) {
	for name, s := range map[string]*State{
		"sample": sample(),
		"zero":   {},
		"large":  {Tensors: []Tensor{{"w", []int{700_001}, ramp(700_001)}}},
	} {
		t.Run(name, func(t *testing.T) {
			data := encode(t, s)
			if n, err := EncodedLen(s); err != nil || n != int64(len(data)) {
				t.Errorf("EncodedLen = %d, %v; the encoding has %d bytes", n, err, len(data))
			}
			for what, r := range map[string]io.Reader{
				"whole": bytes.NewReader(data), "byte by byte": iotest.OneByteReader(bytes.NewReader(data)),
				"with its EOF": iotest.DataErrReader(bytes.NewReader(data)),
			} {
				got, err := Decode(r)
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if !bytes.Equal(encode(t, got), data) {
					t.Errorf("%s: the decoded state has another encoding", what)
				}
				if name == "large" {
					continue // cmp is slow
				}
				if diff := cmp.Diff(s, got, bits); diff != "" {
					t.Errorf("%s: (-want +got):\n%s", what, diff)
				}
			}
		})
	}
}

func ramp(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(i) * 0.25
	}
	return out
}

// TestVersion1 holds the format fixed: a checkpoint of an older program must be read for ever.
func TestVersion1(t *testing.T) {
	path := filepath.Join("testdata", "state-v1.bin")
	data := encode(t, sample())
	if *update {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, want) {
		t.Errorf("the encoding differs from version 1:\n got %x\nwant %x", data, want)
	}
	got, err := Decode(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got, bits); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEncodingReadsAtAnyOffset(t *testing.T) {
	s := sample()
	want := encode(t, s)
	e, err := NewEncoding(s)
	if err != nil {
		t.Fatal(err)
	}
	for off := range len(want) + 1 {
		for n := range len(want) - off + 1 {
			p := make([]byte, n)
			if k, err := e.ReadAt(p, int64(off)); k != n || err != nil {
				t.Fatalf("ReadAt(%d bytes, %d) = %d, %v", n, off, k, err)
			}
			if !bytes.Equal(p, want[off:off+n]) {
				t.Fatalf("ReadAt(%d bytes, %d) differs", n, off)
			}
		}
	}
	if n, err := e.ReadAt(make([]byte, 10), int64(len(want)-4)); n != 4 || err != io.EOF {
		t.Errorf("ReadAt over the end = %d, %v; want 4, EOF", n, err)
	}
	if _, err := e.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("ReadAt(-1) gave no error")
	}
	r, err := NewReader(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(r, want); err != nil {
		t.Error(err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	one := []float32{1}
	many := make([]int, maxDims+1)
	for i := range many {
		many[i] = 1
	}
	for name, s := range map[string]*State{
		"tensor without a name": {Tensors: []Tensor{{"", []int{1}, one}}},
		"tensor name twice":     {Tensors: []Tensor{{"a", []int{1}, one}, {"a", []int{1}, one}}},
		"int name twice":        {Ints: []Int{{"a", 1}, {"a", 1}}},
		"float name twice":      {Floats: []Float{{"a", 1}, {"a", 1}}},
		"long name":             {Ints: []Int{{strings.Repeat("a", maxName+1), 1}}},
		"shape does not fit":    {Tensors: []Tensor{{"a", []int{2}, one}}},
		"negative shape":        {Tensors: []Tensor{{"a", []int{-1, -1}, one}}},
		"shape overflows":       {Tensors: []Tensor{{"a", []int{1 << 32, 1 << 32}, nil}}},
		"dimensions":            {Tensors: []Tensor{{"a", many, one}}},
		"aux":                   {Aux: make([]byte, maxHeader)},
		"scales":                {Scales: make([]int32, maxList+1)},
	} {
		if err := Encode(io.Discard, s); err == nil {
			t.Errorf("%s: encoded", name)
		}
		if _, err := EncodedLen(s); err == nil {
			t.Errorf("%s: sized", name)
		}
	}
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	data := encode(t, sample())
	for i := range data {
		for bit := range 8 {
			data[i] ^= 1 << bit
			if _, err := Decode(bytes.NewReader(data)); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("byte %d bit %d: error %v, want ErrCorrupt", i, bit, err)
			}
			data[i] ^= 1 << bit
		}
	}
}

func TestEveryCutIsFound(t *testing.T) {
	data := encode(t, sample())
	for n := range data {
		if _, err := Decode(bytes.NewReader(data[:n])); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%d of %d bytes: error %v, want ErrCorrupt", n, len(data), err)
		}
	}
	if _, err := Decode(bytes.NewReader(append(data, 0))); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a byte too many: error %v, want ErrCorrupt", err)
	}
}

func TestDecodePassesReadErrorsOn(t *testing.T) {
	data := encode(t, sample())
	lost := &wrappedEOF{}
	for n := range data {
		r := io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(lost))
		if _, err := Decode(r); !errors.Is(err, lost) || errors.Is(err, ErrCorrupt) {
			t.Fatalf("error after %d bytes: got %v", n, err)
		}
	}
}

// wrappedEOF is a lost connection as libraries report it.
type wrappedEOF struct{}

func (*wrappedEOF) Error() string { return "connection lost: EOF" }
func (*wrappedEOF) Unwrap() error { return io.EOF }

// seal makes an encoding from a header and data, with right CRCs.
func seal(header, data []byte) []byte {
	out := append([]byte(magic), make([]byte, fixedLen-len(magic))...)
	binary.LittleEndian.PutUint32(out[8:], uint32(len(header)))
	binary.LittleEndian.PutUint32(out[12:], crc32.Checksum(header, castagnoli))
	out = append(out, header...)
	out = append(out, make([]byte, padding(len(out)))...)
	out = append(out, data...)
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

// hostile returns headers that claim more than they hold. Their CRCs are right.
func hostile() map[string][]byte {
	le := binary.LittleEndian
	fixed := make([]byte, 80)
	zeros := func(n int) []byte { return append(append([]byte{}, fixed...), make([]byte, n)...) }
	huge := zeros(16) // no scales, ints, floats, aux
	huge = le.AppendUint32(huge, 1)
	huge = append(appendName(huge, "w"), 1)
	huge = le.AppendUint64(huge, 1<<50)
	twice := le.AppendUint32(zeros(16), 2)
	for range 2 {
		twice = append(appendName(twice, "w"), 1)
		twice = le.AppendUint64(twice, 0)
	}
	padded := seal(zeros(20), nil)
	padded[len(padded)-crcLen-1] = 1
	return map[string][]byte{
		"padding":          resealed(padded),
		"2^32-1 scales":    seal(le.AppendUint32(zeros(0), math.MaxUint32), nil),
		"2^32-1 ints":      seal(le.AppendUint32(zeros(4), math.MaxUint32), nil),
		"2^20 ints":        seal(le.AppendUint32(zeros(4), 1<<20), nil),
		"2^32-1 aux bytes": seal(le.AppendUint32(zeros(12), math.MaxUint32), nil),
		"2^32-1 tensors":   seal(le.AppendUint32(zeros(16), math.MaxUint32), nil),
		"2^50 values":      seal(huge, make([]byte, 100)),
		"name twice":       seal(twice, nil),
		"trailing header":  seal(zeros(21), nil),
		"no header":        seal(nil, nil),
		"65535 byte name":  seal(append(le.AppendUint32(zeros(4), 1), 0xff, 0xff), nil),
		"header over limit": append(append([]byte(magic), 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0),
			make([]byte, 100)...),
	}
}

func TestHostileHeadersAllocateLittle(t *testing.T) {
	if _, err := Decode(bytes.NewReader(seal(make([]byte, 80+20), nil))); err != nil {
		t.Fatalf("seal does not make valid encodings: %v", err)
	}
	for name, data := range hostile() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Decode(bytes.NewReader(data)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: error %v, want ErrCorrupt", name, err)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
			t.Errorf("%s: %d bytes made the decoder allocate %d", name, len(data), got)
		}
	}
}

// TestManyItemsAllocateNothing: a tensor takes 3 bytes in a header and 20 times as many in memory.
func TestManyItemsAllocateNothing(t *testing.T) {
	const n = maxList + 1
	header := binary.LittleEndian.AppendUint32(make([]byte, 80+16), n)
	header = append(header, make([]byte, 3*n)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, ok := parseHeader(header, 1); ok {
		t.Error("accepted")
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes allocated", got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(f, sample()))
	f.Add(encode(f, &State{}))
	for _, data := range hostile() {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, resealed(data)} {
			s, err := Decode(bytes.NewReader(data))
			if err != nil {
				if !errors.Is(err, ErrCorrupt) {
					t.Fatalf("error %v is not ErrCorrupt", err)
				}
				continue
			}
			if again := encode(t, s); !bytes.Equal(again, data) {
				t.Fatalf("accepted bytes are not the encoding:\n got %x\nwant %x", again, data)
			}
		}
	})
}

// resealed puts right CRCs on data, so that the fuzzer gets behind them.
func resealed(data []byte) []byte {
	out := bytes.Clone(data)
	if len(out) < fixedLen+crcLen {
		return out
	}
	le := binary.LittleEndian
	if n := uint64(le.Uint32(out[8:])); n <= uint64(len(out)-fixedLen) {
		le.PutUint32(out[12:], crc32.Checksum(out[fixedLen:fixedLen+n], castagnoli))
	}
	body := len(out) - crcLen
	le.PutUint32(out[body:], crc32.Checksum(out[:body], castagnoli))
	return out
}

func BenchmarkEncode(b *testing.B) {
	s := &State{Tensors: []Tensor{{"w", []int{8 << 20}, ramp(8 << 20)}}}
	n, err := EncodedLen(s)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(n)
	b.ReportAllocs()
	for b.Loop() {
		if err := Encode(io.Discard, s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	data := encode(b, &State{Tensors: []Tensor{{"w", []int{8 << 20}, ramp(8 << 20)}}})
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}

// random returns n bytes that depend on seed alone.
func random(seed uint64, n int) []byte {
	r := rng.New(seed, rng.Augment, 0, 0, 0)
	out := make([]byte, 0, n+8)
	for len(out) < n {
		out = binary.LittleEndian.AppendUint64(out, r.Uint64())
	}
	return out[:n]
}
