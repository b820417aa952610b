package ring

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// unpack reads packed integers, as many as dst has, and nothing behind them.
func (r *Ring) unpack(p *cursor, dst []int64, add bool) error {
	pk := r.cfg.Packing
	for len(dst) > 0 {
		n := min(pk.BlockLen(), len(dst))
		first := p.take(1, r.scratch[:])
		if first == nil {
			return fmt.Errorf("%w: values are missing", ErrCorrupt)
		}
		w, ok := pk.Width(first[0])
		if !ok {
			return fmt.Errorf("%w: width byte %d", ErrCorrupt, first[0])
		}
		src := p.take(n*w, r.scratch[:])
		if src == nil && n*w > 0 {
			return fmt.Errorf("%w: values are missing", ErrCorrupt)
		}
		if add {
			pk.UnpackAdd(dst[:n], src, w)
		} else {
			pk.Unpack(dst[:n], src, w)
		}
		dst = dst[n:]
	}
	if !p.empty() {
		return fmt.Errorf("%w: bytes behind the last value", ErrCorrupt)
	}
	return nil
}

// littleEndian tells that a float32 in memory has the bytes of one on the wire.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// floatBytes returns the memory of x.
func floatBytes(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

// swapFloats turns memory into wire order and back, where they differ.
func swapFloats(b []byte) {
	if littleEndian {
		return
	}
	for ; len(b) >= 4; b = b[4:] {
		binary.BigEndian.PutUint32(b, binary.LittleEndian.Uint32(b))
	}
}

// putFloats writes x, little-endian.
func putFloats(dst []byte, x []float32) {
	swapFloats(dst[:copy(dst, floatBytes(x))])
}

// setFloats reads len(x) values to x, and checks that there are no more.
func setFloats(p *cursor, x []float32) error {
	if !p.copyTo(floatBytes(x)) {
		return fmt.Errorf("%w: values are missing", ErrCorrupt)
	}
	swapFloats(floatBytes(x))
	if !p.empty() {
		return fmt.Errorf("%w: bytes behind the last value", ErrCorrupt)
	}
	return nil
}

// floatRun is the number of values that addFloats takes at once.
const floatRun = 1024

// addFloats adds len(x) values to x, and checks that there are no more.
func (r *Ring) addFloats(p *cursor, x []float32) error {
	for len(x) > 0 {
		n := min(floatRun, len(x))
		src := p.take(4*n, r.scratch[:])
		if src == nil {
			return fmt.Errorf("%w: values are missing", ErrCorrupt)
		}
		for i := range x[:n] {
			x[i] += math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
		x = x[n:]
	}
	if !p.empty() {
		return fmt.Errorf("%w: bytes behind the last value", ErrCorrupt)
	}
	return nil
}
