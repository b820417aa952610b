package ring

import (
	"encoding/binary"
	"fmt"
	"math"
)

// roundHalves rounds every value to the nearest bfloat16, ties to even. A NaN stays one.
func roundHalves(x []float32) {
	for i, v := range x {
		b := math.Float32bits(v)
		if v != v {
			b = 0x7fc00000
		}
		x[i] = math.Float32frombits((b + 0x7fff + b>>16&1) &^ 0xffff)
	}
}

// putHalves writes the upper halves of x, whose lower halves are zero.
func putHalves(dst []byte, x []float32) {
	for i, v := range x {
		binary.LittleEndian.PutUint16(dst[2*i:], uint16(math.Float32bits(v)>>16))
	}
}

// setHalves reads len(x) values to x, and checks that there are no more.
func (r *Ring) setHalves(p *cursor, x []float32) error {
	for len(x) > 0 {
		n := min(floatRun, len(x))
		src := p.take(2*n, r.scratch[:])
		if src == nil {
			return fmt.Errorf("%w: values are missing", ErrCorrupt)
		}
		for i := range x[:n] {
			x[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
		}
		x = x[n:]
	}
	if !p.empty() {
		return fmt.Errorf("%w: bytes behind the last value", ErrCorrupt)
	}
	return nil
}
