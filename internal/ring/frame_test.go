package ring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// sealed returns the bytes of a frame.
func sealed(h header, payload []byte) []byte {
	f := &Frame{buf: append(make([]byte, HeaderLen), payload...)}
	h.length = uint32(len(payload))
	f.seal(h)
	return f.Parts[0]
}

// pieces cuts b at random borders, empty pieces included.
func pieces(r *rand.Rand, b []byte) [][]byte {
	var p [][]byte
	for len(b) > 0 {
		n := min(r.IntN(40), len(b))
		p, b = append(p, b[:n]), b[n:]
	}
	return append(p, nil)
}

func TestFrameRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		h := header{
			job: r.Uint64(), generation: r.Uint64(), op: Op{r.Uint64(), r.Uint32(), r.Uint32()}, offset: r.Uint64(),
			count: r.Uint32(), from: uint16(r.Uint32()), kind: kind(r.IntN(6)), round: uint16(r.Uint32()),
		}
		payload := make([]byte, r.IntN(300))
		for i := range payload {
			payload[i] = byte(r.Uint32())
		}
		b := sealed(h, payload)
		if n, err := FrameLen(b[:HeaderLen]); err != nil || n != len(b) {
			t.Fatalf("length %d, %v; want %d", n, err, len(b))
		}
		got, c, err := open(pieces(r, b), false)
		h.length = uint32(len(payload))
		if err != nil || got != h {
			t.Fatalf("got %+v, %v; want %+v", got, err, h)
		}
		back := make([]byte, len(payload))
		if !c.copyTo(back) || !c.empty() || !bytes.Equal(back, payload) {
			t.Fatal("the payload has changed")
		}
	}
}

// A frame in shared memory has a checksum of its header alone, and is worth nothing anywhere else.
func TestSharedFrame(t *testing.T) {
	f := NewFrame(make([]byte, 100), nil)
	f.seal(header{job: 1, kind: kindSums, length: 7})
	if _, _, err := open(f.Parts, true); err != nil {
		t.Error(err)
	}
	if _, _, err := open(f.Parts, false); !errors.Is(err, ErrCorrupt) {
		t.Errorf("elsewhere: %v", err)
	}
	for bit := range 8 * HeaderLen {
		f.Parts[0][bit/8] ^= 1 << (bit % 8)
		if _, _, err := open(f.Parts, true); !errors.Is(err, ErrCorrupt) {
			t.Errorf("bit %d flipped: %v", bit, err)
		}
		f.Parts[0][bit/8] ^= 1 << (bit % 8)
	}
}

// Every flipped bit and every missing byte is noticed.
func TestFrameDamage(t *testing.T) {
	b := sealed(header{job: 1, generation: 2, op: Op{3, 4, 5}, offset: 6, count: 7, kind: kindSums, round: 8}, []byte("payload"))
	for bit := range 8 * len(b) {
		c := bytes.Clone(b)
		c[bit/8] ^= 1 << (bit % 8)
		if _, _, err := open([][]byte{c}, false); !errors.Is(err, ErrCorrupt) {
			t.Errorf("bit %d flipped: %v", bit, err)
		}
	}
	for n := range len(b) {
		if _, _, err := open([][]byte{b[:n]}, false); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes left: %v", n, err)
		}
	}
	if _, _, err := open([][]byte{b, {0}}, false); !errors.Is(err, ErrCorrupt) {
		t.Error("a byte too many was not noticed")
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(sealed(header{kind: kindSums}, []byte("abc")), uint64(1))
	f.Add(sealed(header{kind: kindWaiting, offset: 1 << 63}, nil), uint64(2))
	f.Add([]byte("short"), uint64(3))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		h, c, err := open(pieces(r, b), false)
		whole, _, errWhole := open([][]byte{b}, false)
		if (err == nil) != (errWhole == nil) || h != whole {
			t.Fatalf("in pieces %+v, %v; whole %+v, %v", h, err, whole, errWhole)
		}
		if err != nil {
			return
		}
		payload := make([]byte, h.length)
		if !c.copyTo(payload) || !c.empty() {
			t.Fatal("the payload is not as long as the header says")
		}
		again := sealed(h, payload)
		binary.LittleEndian.PutUint16(again[62:], binary.LittleEndian.Uint16(b[62:])) // reserved
		if !bytes.Equal(again[8:], b[8:]) {
			t.Fatalf("% x became % x", b, again)
		}
	})
}

// dumb is the simplest Packing: all values in eight bytes.
type dumb struct{}

func (dumb) BlockLen() int    { return 5 }
func (dumb) MaxLen(n int) int { return 8*n + (n+4)/5 }

func (dumb) Pack(dst []byte, src []int64) int {
	at := 0
	for b := range slices.Chunk(src, 5) {
		dst[at] = 8
		at++
		for _, v := range b {
			binary.LittleEndian.PutUint64(dst[at:], uint64(v))
			at += 8
		}
	}
	return at
}

func (dumb) Width(first byte) (int, bool) { return int(first), first == 8 }

func (dumb) Unpack(dst []int64, src []byte, _ int) {
	for i := range dst {
		dst[i] = int64(binary.LittleEndian.Uint64(src[8*i:]))
	}
}

func (dumb) UnpackAdd(dst []int64, src []byte, _ int) {
	for i := range dst {
		dst[i] += int64(binary.LittleEndian.Uint64(src[8*i:]))
	}
}

// FuzzPayload reads any bytes as payloads: values come out or ErrCorrupt, never a panic.
func FuzzPayload(f *testing.F) {
	buf := make([]byte, dumb{}.MaxLen(12))
	f.Add(buf[:dumb{}.Pack(buf, make([]int64, 12))], uint8(12), uint64(1))
	f.Add([]byte{8, 1, 2}, uint8(1), uint64(2))
	f.Fuzz(func(t *testing.T, b []byte, n uint8, seed uint64) {
		r, err := New(Config{World: 1, Packing: dumb{}, Timeout: noTimeout})
		if err != nil {
			t.Fatal(err)
		}
		rnd := rand.New(rand.NewPCG(seed, 0))
		set, added := make([]int64, n), make([]int64, n)
		one, two := cursor{parts: pieces(rnd, b)}, cursor{parts: [][]byte{b}}
		errSet, errAdd := r.unpack(&one, set, false), r.unpack(&two, added, true)
		if (errSet == nil) != (errAdd == nil) || errSet == nil && !slices.Equal(set, added) {
			t.Fatalf("in pieces %v, %v; whole %v, %v", set, errSet, added, errAdd)
		}
		if want := len(b) == (dumb{}).MaxLen(int(n)); errSet == nil && !want || errSet != nil && !errors.Is(errSet, ErrCorrupt) {
			t.Fatalf("%d bytes for %d values: %v", len(b), n, errSet)
		}
		x := make([]float32, n)
		one, two = cursor{parts: pieces(rnd, b)}, cursor{parts: pieces(rnd, b)}
		errF, errA := setFloats(&one, x), r.addFloats(&two, x)
		if want := len(b) == 4*int(n); (errF == nil) != want || (errA == nil) != want {
			t.Fatalf("%d bytes for %d floats: %v, %v", len(b), n, errF, errA)
		}
	})
}

func TestSwapFloats(t *testing.T) {
	defer func(v bool) { littleEndian = v }(littleEndian)
	littleEndian = false
	b := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	if swapFloats(b); !bytes.Equal(b, []byte{4, 3, 2, 1, 8, 7, 6, 5}) {
		t.Errorf("swapped to %v", b)
	}
}
