package dataset

import (
	"encoding/binary"
	"math"
)

// element is how the numbers of an array are stored.
type element struct {
	size    int
	integer bool
	number  func(b []byte) float64 // the number that b begins with
}

// integerElement is a whole number of 1, 2, 4 or 8 bytes.
func integerElement(size int, signed bool, order binary.ByteOrder) element {
	e := element{size: size, integer: true}
	switch {
	case size == 1 && signed:
		e.number = func(b []byte) float64 { return float64(int8(b[0])) }
	case size == 1:
		e.number = func(b []byte) float64 { return float64(b[0]) }
	case size == 2 && signed:
		e.number = func(b []byte) float64 { return float64(int16(order.Uint16(b))) }
	case size == 2:
		e.number = func(b []byte) float64 { return float64(order.Uint16(b)) }
	case size == 4 && signed:
		e.number = func(b []byte) float64 { return float64(int32(order.Uint32(b))) }
	case size == 4:
		e.number = func(b []byte) float64 { return float64(order.Uint32(b)) }
	case signed:
		e.number = func(b []byte) float64 { return float64(int64(order.Uint64(b))) }
	default:
		e.number = func(b []byte) float64 { return float64(order.Uint64(b)) }
	}
	return e
}

// floatElement is an IEEE 754 number of 2, 4 or 8 bytes.
func floatElement(size int, order binary.ByteOrder) element {
	e := element{size: size}
	switch size {
	case 2:
		e.number = func(b []byte) float64 { return half(order.Uint16(b)) }
	case 4:
		e.number = func(b []byte) float64 { return float64(math.Float32frombits(order.Uint32(b))) }
	default:
		e.number = func(b []byte) float64 { return math.Float64frombits(order.Uint64(b)) }
	}
	return e
}

// half is the number with the bits of an IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction.
func half(bits uint16) float64 {
	sign, exponent, fraction := 1.0, int(bits>>10&31), float64(bits&1023)
	if bits>>15 == 1 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}
