// Package rng is the one source of randomness of a job: a counter-based generator, Philox4x32-10 (Salmon et al.,
// "Parallel random numbers: as easy as 1, 2, 3", SC 2011). A value is a pure function of its key, never of who asks
// or in which order.
package rng

import "math/bits"

// Purpose keeps the uses of one seed apart.
type Purpose uint32

// The purposes. Numbers are part of every result: append only.
const (
	ShardOrder  Purpose = 1  // key: epoch
	RecordOrder Purpose = 2  // key: epoch, shard
	Weights     Purpose = 3  // key: layer parameter
	Dropout     Purpose = 4  // key: step, micro-batch, layer
	Augment     Purpose = 5  // key: epoch, record
	SplitOrder  Purpose = 6  // key: none
	Generate    Purpose = 20 // key: number of the token
)

// Stream is a sequence of random words. The zero Stream is not useful: call New.
type Stream struct {
	key  [2]uint32
	ctr  [4]uint32
	buf  [4]uint32
	left int
}

// New returns the stream of (seed, purpose, a, b, c). Streams with different arguments are independent.
func New(seed uint64, purpose Purpose, a, b, c uint64) Stream {
	k := mix(mix(mix(mix(seed, uint64(purpose)), a), b), c)
	h := mix(k, 0x6c6f636b73746570)
	return Stream{key: [2]uint32{uint32(k), uint32(k >> 32)}, ctr: [4]uint32{0, 0, uint32(h), uint32(h >> 32)}}
}

// mix folds v into h: the finaliser of SplitMix64 over a sum with an odd constant.
func mix(h, v uint64) uint64 {
	z := h*0x9e3779b97f4a7c15 + v + 0x632be59bd9b4e019
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// Uint32 returns the next word.
func (s *Stream) Uint32() uint32 {
	if s.left == 0 {
		s.buf = block(s.ctr, s.key)
		s.left = 4
		if s.ctr[0]++; s.ctr[0] == 0 {
			s.ctr[1]++
		}
	}
	s.left--
	return s.buf[3-s.left]
}

// Uint64 returns the next two words, the first one low.
func (s *Stream) Uint64() uint64 {
	lo := s.Uint32()
	return uint64(lo) | uint64(s.Uint32())<<32
}

// Float64 returns a number in [0, 1) with 53 random bits.
func (s *Stream) Float64() float64 { return float64(s.Uint64()>>11) * (1.0 / (1 << 53)) }

// Float32 returns a number in [0, 1) with 24 random bits.
func (s *Stream) Float32() float32 { return float32(s.Uint32()>>8) * (1.0 / (1 << 24)) }

// IntN returns a number in [0, n) without bias (Lemire's method). It panics if n is not positive.
func (s *Stream) IntN(n int) int {
	if n <= 0 {
		panic("rng: IntN of a number that is not positive")
	}
	hi, lo := bits.Mul64(s.Uint64(), uint64(n))
	if lo < uint64(n) {
		for limit := -uint64(n) % uint64(n); lo < limit; {
			hi, lo = bits.Mul64(s.Uint64(), uint64(n))
		}
	}
	return int(hi)
}

// Perm fills dst with a random order of 0 ... len(dst)-1 (Fisher and Yates).
func (s *Stream) Perm(dst []int) {
	for i := range dst {
		j := s.IntN(i + 1)
		dst[i] = dst[j]
		dst[j] = i
	}
}

// block is one Philox4x32 bijection of ten rounds.
func block(c [4]uint32, k [2]uint32) [4]uint32 {
	for r := 0; r < 10; r++ {
		h0, l0 := bits.Mul32(0xD2511F53, c[0])
		h1, l1 := bits.Mul32(0xCD9E8D57, c[2])
		c = [4]uint32{h1 ^ c[1] ^ k[0], l1, h0 ^ c[3] ^ k[1], l0}
		k[0] += 0x9E3779B9
		k[1] += 0xBB67AE85
	}
	return c
}
