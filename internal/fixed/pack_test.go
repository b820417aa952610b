package fixed_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"lockstep/internal/fixed"
)

// unpack reads packed values with the exported steps, adding them to base.
func unpack(t *testing.T, packed []byte, base []int64) (set, added []int64) {
	t.Helper()
	var p fixed.Packing
	set, added = make([]int64, len(base)), slices.Clone(base)
	for i := 0; i < len(base); i += p.BlockLen() {
		n := min(p.BlockLen(), len(base)-i)
		w, ok := p.Width(packed[0])
		if !ok {
			t.Fatalf("width byte %d", packed[0])
		}
		p.Unpack(set[i:i+n], packed[1:1+n*w], w)
		p.UnpackAdd(added[i:i+n], packed[1:1+n*w], w)
		packed = packed[1+n*w:]
	}
	if len(packed) != 0 {
		t.Fatalf("%d bytes left", len(packed))
	}
	return set, added
}

func checkPack(t *testing.T, src []int64) int {
	t.Helper()
	var p fixed.Packing
	buf := make([]byte, p.MaxLen(len(src)))
	n := p.Pack(buf, src)
	base := make([]int64, len(src))
	for i := range base {
		base[i] = int64(i) * 77777
	}
	set, added := unpack(t, buf[:n], base)
	for i, v := range src {
		if set[i] != v || added[i] != base[i]+v {
			t.Fatalf("value %d of %d: %d came back as %d, added %d", i, len(src), v, set[i], added[i]-base[i])
		}
	}
	return n
}

func TestPackIsLosslessAndTight(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for w := range 9 {
		for _, n := range []int{0, 1, 2, fixed.BlockLen - 1, fixed.BlockLen, fixed.BlockLen + 1, 2000} {
			src := make([]int64, n)
			for i := range src {
				if w > 0 {
					src[i] = int64(r.Uint64()) >> (64 - 8*w)
				}
			}
			for i := 0; i < n && w > 0; i += fixed.BlockLen { // the least and the largest of the width
				src[i] = -1 << (8*w - 1)
			}
			if got, want := checkPack(t, src), n*w+(n+fixed.BlockLen-1)/fixed.BlockLen; got != want {
				t.Errorf("width %d, %d values: %d bytes, want %d", w, n, got, want)
			}
		}
	}
	for _, v := range []int64{0, 1, -1, 127, 128, -128, -129, 1<<39 - 1, 1 << 39, -1 << 39, math.MaxInt64, math.MinInt64} {
		checkPack(t, []int64{v})
	}
}

func FuzzPack(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 255, 255, 255, 255, 255, 255, 255, 255}, uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, shift uint8) {
		src := make([]int64, len(b)/8)
		for i := range src {
			src[i] = int64(binary.LittleEndian.Uint64(b[8*i:])) >> (shift % 64)
		}
		checkPack(t, src)
	})
}
