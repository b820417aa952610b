package fixed

import "math"

// Limits of a scale. They keep every float32 gradient, from the smallest subnormal
// to the largest, convertible with float64 arithmetic.
const (
	MinScale = -160
	MaxScale = 240

	// StartScale is the scale of every tensor in the first step. It is good as it is
	// for sums whose largest is between 2^-6 and 2^20; outside, the step is redone.
	StartScale = 30
)

const (
	retreat  = 40 // how far a scale falls that was too high by an unknown amount
	nearBits = 46 // a scale is raised for the next step so that values stay below 2^46
)

// Rule says where a scale is steered to.
type Rule struct {
	target  int   // max|sum| * 2^scale in [2^(target-1), 2^target)
	precise int   // fewer bits than this in the largest sum are too few,
	valued  Flags // unless some value has this flag
}

// The rule of scales for exact sums of float32 gradients, 5 bytes on the wire, and for
// gradients that were rounded with RoundBF16, 3 bytes.
var (
	Full  = Rule{target: 37, precise: 24, valued: Above27}
	Short = Rule{target: 21, precise: 10, valued: Above14}
)

// Scales holds the power of two of every parameter tensor. It is training state.
//
// The rule is a function of globally reduced values only, so all workers take the
// same decisions, however many there are (the figures are those of Full):
//
//  1. Some value was TooLarge: the scale falls by 40 and the step is redone.
//  2. The largest sum is below 2^24 units, and so is every value (no Above27): too
//     little precision. The scale rises and the step is redone.
//  3. Otherwise the step stands, and the next one's scale puts the largest sum at
//     2^36..2^37, unless the values themselves (which may cancel in the sum) are
//     too large for that: they stay below 2^46 units, or the scale as it is.
//  4. A tensor whose values are all zero keeps its scale, and nothing is redone.
//
// A rise never goes so far that the values that called for it become TooLarge, so
// a redone step moves monotonically towards its scale: growth or decay of the
// gradients by 2^40 costs one redo, sometimes two.
type Scales []int32

// NewScales returns the scales of n tensors before the first step.
func NewScales(n int) Scales {
	s := make(Scales, n)
	for i := range s {
		s[i] = StartScale
	}
	return s
}

// Next applies the rule Full to tensor i; see Rule.Next.
func (s Scales) Next(i int, maxAbs float32, f Flags) (next int32, redo bool) {
	return Full.Next(s[i], maxAbs, f)
}

// Next applies the rule to a tensor: maxAbs is the largest absolute value of its exactly
// reduced sums (MaxAbs of what Float32 gave), f the union of all workers' flags. It
// returns the tensor's next scale, which the caller stores when it has seen all tensors,
// and whether this step must be redone with it.
//
// NonFinite is not a matter of scale: with it, or with sums that are infinite as
// float32, the scale is kept, nothing is asked for, and the caller decides.
func (r Rule) Next(scale int32, maxAbs float32, f Flags) (next int32, redo bool) {
	if f&NonFinite != 0 || !(maxAbs <= math.MaxFloat32) && f&TooLarge == 0 {
		return scale, false
	}
	if f&TooLarge != 0 {
		next = max(scale-retreat, MinScale)
		return next, next != scale
	}
	if f&NonZero == 0 {
		return scale, false
	}
	e := sumBits(maxAbs, scale)
	if e < r.precise && f&r.valued == 0 {
		next = r.move(scale, e, valueBits(f), maxBits-1)
		return next, next != scale
	}
	return r.move(scale, e, valueBits(f), nearBits), false
}

// move returns the scale that brings a sum of e bits to the target, lower or
// higher, but higher only while values of v bits keep to at most limit bits.
func (r Rule) move(scale int32, e, v, limit int) int32 {
	return min(max(scale+int32(min(r.target-e, max(limit-v, 0))), MinScale), MaxScale)
}

// sumBits returns e such that maxAbs*2^scale is in [2^(e-1), 2^e). A sum of zero
// with values that are not zero counts as one unit.
func sumBits(maxAbs float32, scale int32) int {
	if maxAbs == 0 {
		return 1
	}
	_, e := math.Frexp(float64(maxAbs))
	return e + int(scale)
}

// valueBits returns v such that all scaled values are known to be at most 2^v.
func valueBits(f Flags) int {
	switch {
	case f&Above40 != 0:
		return maxBits
	case f&Above27 != 0:
		return 40
	case f&Above14 != 0:
		return 27
	}
	return 14
}
