package fixed

// Flags is a set of facts about the values that were accumulated for one tensor.
// The flags of several calls, and of several workers, are joined by or. NonFinite
// and TooLarge are errors, the others say how large the largest scaled value was.
type Flags uint8

const (
	NonFinite Flags = 1 << iota // a NaN or an infinity
	TooLarge                    // a value outside +-2^51 after scaling
	Above40                     // a value of at least 2^40 after scaling
	Above27                     // a value of at least 2^27
	Above14                     // a value of at least 2^14
	NonZero                     // a value other than zero before rounding

	flagCount = 6
)

// Failed tells that the accumulator cannot be used.
func (f Flags) Failed() bool { return f&(NonFinite|TooLarge) != 0 }

// A flag has a field of fieldBits in a Word, which counts the words that have it.
const fieldBits = 10

// MaxWords is the largest number of words that may be summed: one a worker.
const MaxWords = 1<<fieldBits - 1

// Word spreads the flags so that the integer sum of up to MaxWords words is their
// union, which FlagsOf reads. This is how flags ride in a reduction of sums.
func (f Flags) Word() int64 {
	var w int64
	for i := range flagCount {
		w |= int64(f>>i&1) << (i * fieldBits)
	}
	return w
}

// FlagsOf returns the union of the flags whose words were summed.
func FlagsOf(sum int64) Flags {
	var f Flags
	for i := range flagCount {
		if sum>>(i*fieldBits)&MaxWords != 0 {
			f |= 1 << i
		}
	}
	return f
}

// magnitude returns the flags for the largest absolute scaled value.
func magnitude(x float64) Flags {
	switch {
	case !(x <= maxFinite):
		return NonFinite
	case x > 1<<maxBits:
		return TooLarge | Above40 | Above27 | Above14 | NonZero
	}
	var f Flags
	for _, l := range [...]struct {
		least float64
		flag  Flags
	}{{1 << 40, Above40}, {1 << 27, Above27}, {1 << 14, Above14}} {
		if x >= l.least {
			f |= l.flag
		}
	}
	if x > 0 {
		f |= NonZero
	}
	return f
}

// maxFinite is above every scaled finite value: 2^128 * 2^MaxScale.
const maxFinite = 1 << (128 + MaxScale)
