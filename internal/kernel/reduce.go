package kernel

import (
	"math"
	"unsafe"
)

// Dot returns the inner product of x and y, in 32 lanes.
//
//	for i := range x { acc[i%32] = fma(x[i], y[i], acc[i%32]) }
//	return the sum of acc, by halves: acc[l] += acc[l+16], then 8, 4, 2, 1
func Dot(x, y []float32) float32 {
	y = upTo(y, len(x))
	var acc [32]float32
	if useAVX2 {
		dotAVX2(&acc[0], unsafe.SliceData(x), unsafe.SliceData(y), len(x))
	} else {
		for i, v := range x {
			acc[i%32] = fma(v, y[i], acc[i%32])
		}
	}
	for h := 16; h > 0; h /= 2 {
		for l := range h {
			acc[l] += acc[l+h]
		}
	}
	return acc[0]
}

// Sum returns the sum of x in double precision, in 16 lanes.
//
//	for i := range x { acc[i%16] += float64(x[i]) }
//	return the sum of acc, by halves: acc[l] += acc[l+8], then 4, 2, 1
func Sum(x []float32) float64 {
	var acc [16]float64
	if useAVX2 {
		n := len(x) &^ 15
		sumAVX2(&acc[0], unsafe.SliceData(x), n)
		x = x[n:]
	}
	for i, v := range x {
		acc[i%16] += float64(v)
	}
	return fold16(&acc)
}

// SumSquares returns the sum of squares of x in double precision, in 16 lanes. The squares themselves are exact.
//
//	for i := range x { acc[i%16] += float64(x[i]) * float64(x[i]) }
//	return the sum of acc, by halves: acc[l] += acc[l+8], then 4, 2, 1
func SumSquares(x []float32) float64 { return sumSquaresFrom(x, 0) }

// sumSquaresFrom returns the sum of squared distances from m, in the lanes of SumSquares.
//
//	for i := range x { d := x[i] - m; acc[i%16] += float64(d) * float64(d) }
func sumSquaresFrom(x []float32, m float32) float64 {
	var acc [16]float64
	if useAVX2 {
		n := len(x) &^ 15
		sumSquaresFromAVX2(&acc[0], unsafe.SliceData(x), n, m)
		x = x[n:]
	}
	for i, v := range x {
		d := v - m
		acc[i%16] += float64(d) * float64(d)
	}
	return fold16(&acc)
}

// fold16 adds up lanes by halves.
func fold16(a *[16]float64) float64 {
	b := [8]float64{a[0] + a[8], a[1] + a[9], a[2] + a[10], a[3] + a[11],
		a[4] + a[12], a[5] + a[13], a[6] + a[14], a[7] + a[15]}
	return ((b[0] + b[4]) + (b[2] + b[6])) + ((b[1] + b[5]) + (b[3] + b[7]))
}

// MaxAbs returns the largest absolute value in x: 0 for an empty x, NaN if there is one.
//
//	for i := range x { m = max(m, bits(x[i]) &^ sign) }; return float(m)
func MaxAbs(x []float32) float32 {
	return math.Float32frombits(maxAbsBits(x))
}

// HasNonFinite tells whether x has an infinity or a NaN.
func HasNonFinite(x []float32) bool { return maxAbsBits(x) >= infBits }

// infBits is the bit pattern of +Inf; those above it, without sign, are NaN.
const infBits = 0x7f800000

func maxAbsBits(x []float32) (m uint32) {
	if useAVX2 {
		n := len(x) &^ 7
		m, x = maxAbsBitsAVX2(unsafe.SliceData(x), n), x[n:]
	}
	for _, v := range x {
		m = max(m, math.Float32bits(v)&^(1<<31))
	}
	return m
}
