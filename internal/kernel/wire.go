package kernel

import (
	"math/bits"
	"unsafe"
)

// PackWidth returns the number of bytes, 1 to 8, that every element of src fits into as a two's complement number.
func PackWidth(src []int64) int {
	var all uint64
	if useAVX2 {
		n := len(src) &^ 3
		all, src = packBitsAVX2(unsafe.SliceData(src), n), src[n:]
	}
	for _, v := range src {
		all |= uint64(v ^ v>>63)
	}
	return bits.Len64(all)/8 + 1
}

// PackInt64 stores the low width bytes of every element, little-endian and without gaps.
//
//	dst[i*width : (i+1)*width] = src[i]
func PackInt64(dst []byte, src []int64, width int) {
	checkWire(len(dst), len(src), width)
	if useAVX2 {
		g := groups(len(src), width)
		packAVX2(unsafe.SliceData(dst), unsafe.SliceData(src), g, width, &packShuffles[width])
		dst, src = dst[4*g*width:], src[4*g:]
	}
	for i, v := range src {
		for b := range width {
			dst[i*width+b] = byte(v >> (8 * b))
		}
	}
}

// UnpackInt64 is the inverse of PackInt64: it extends the sign.
//
//	dst[i] = src[i*width : (i+1)*width]
func UnpackInt64(dst []int64, src []byte, width int) {
	checkWire(len(src), len(dst), width)
	if useAVX2 {
		g := groups(len(dst), width)
		unpackAVX2(unsafe.SliceData(dst), unsafe.SliceData(src), g, width, &unpackShuffles[width], 1<<(8*width-1))
		dst, src = dst[4*g:], src[4*g*width:]
	}
	for i := range dst {
		dst[i] = unpack(src[i*width:(i+1)*width], width)
	}
}

// UnpackAdd is UnpackInt64 that adds.
//
//	dst[i] += src[i*width : (i+1)*width]
func UnpackAdd(dst []int64, src []byte, width int) {
	checkWire(len(src), len(dst), width)
	if useAVX2 {
		g := groups(len(dst), width)
		unpackAddAVX2(unsafe.SliceData(dst), unsafe.SliceData(src), g, width, &unpackShuffles[width], 1<<(8*width-1))
		dst, src = dst[4*g:], src[4*g*width:]
	}
	for i := range dst {
		dst[i] += unpack(src[i*width:(i+1)*width], width)
	}
}

func unpack(src []byte, width int) int64 {
	var v uint64
	for b, x := range src {
		v |= uint64(x) << (8 * b)
	}
	shift := 64 - 8*width
	return int64(v<<shift) >> shift
}

// groups returns how many groups of four out of n elements of width bytes can be moved by 16 bytes for each pair
// without touching anything beyond the last element.
func groups(n, width int) int { return min(n/4, max(0, n*width+2*width-16)/(4*width)) }

// By width: packShuffles moves the lower bytes of two 64-bit lanes together, unpackShuffles moves them back.
var packShuffles, unpackShuffles = shuffles()

func shuffles() (pack, unpack [9][32]byte) {
	const nothing = 0x80
	for width := 1; width <= 8; width++ {
		for i := range 32 {
			pack[width][i], unpack[width][i] = nothing, nothing
			if i%16 < 2*width {
				pack[width][i] = byte(i%16/width*8 + i%16%width)
			}
			if i%8 < width {
				unpack[width][i] = byte(i%16/8*width + i%8)
			}
		}
	}
	return pack, unpack
}

// checkWire panics unless size bytes hold n elements of width bytes.
func checkWire(size, n, width int) {
	if width < 1 || width > 8 {
		panic("kernel: width of a packed integer out of range")
	}
	if size < n*width {
		panic("kernel: packed slice is too short")
	}
}
