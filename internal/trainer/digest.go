package trainer

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// digest is a quick digest of a state, 32 bytes: four lanes, in each of which every word enters by a bijection, so that a
// single changed word always shows. It is for finding flipped bits among members, not for proving anything to anyone:
// that is what the ledger's SHA-256 is for.
type digest [4]uint64

// digestPrime is odd, so that multiplying by it loses nothing.
const digestPrime = 0x9E3779B97F4A7C15

// floats adds values, in pairs: lane k takes words k, k+4, k+8, ...
func (d *digest) floats(v []float32) {
	a, b, c, e := d[0], d[1], d[2], d[3]
	for ; len(v) >= 8; v = v[8:] {
		w := (*[4]uint64)(unsafe.Pointer(&v[0])) // as they lie in the memory of a little-endian machine
		a = (a + w[0]) * digestPrime
		b = (b + w[1]) * digestPrime
		c = (c + w[2]) * digestPrime
		e = (e + w[3]) * digestPrime
	}
	*d = digest{a, b, c, e}
	for _, x := range v {
		d.word(uint64(math.Float32bits(x)))
	}
}

func (d *digest) word(w uint64) { d[0] = (d[0] + w) * digestPrime }

// put writes the digest to its member's place among those of all, which are then summed.
func (d digest) put(words []int64, rank int) {
	for i := 0; len(words) > 0 && i < len(d); i++ {
		words[rank*len(d)+i] = int64(d[i])
	}
}

// digestAt is the digest of a member, after the sum.
func digestAt(words []int64, rank int) (d digest) {
	for i := range d {
		d[i] = uint64(words[rank*len(d)+i])
	}
	return d
}

func (d digest) bytes() []byte {
	var b []byte
	for _, w := range d {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// digestBlock is how many values are digested by one core at a time.
const digestBlock = 1 << 15

// digestOf digests the parameters of a state or, if whole, all of it.
func (t *task) digestOf(st *state, whole bool) digest {
	parts := [][]float32{st.params}
	if whole {
		parts = append(parts, st.slots...)
		parts = append(parts, st.best.params)
	}
	var blocks [][]float32
	for _, v := range parts {
		for at := 0; at < len(v); at += digestBlock {
			blocks = append(blocks, v[at:min(at+digestBlock, len(v))])
		}
	}
	sums := make([]digest, len(blocks))
	t.spread(len(blocks), func(i int) { sums[i].floats(blocks[i]) })
	d := digest{st.position}
	for _, s := range sums {
		for i, w := range s {
			d[i] = (d[i] + w) * digestPrime
		}
	}
	if whole {
		t.digestSmall(&d, st)
	}
	return d
}

// digestSmall adds what a state has besides its large vectors.
func (t *task) digestSmall(d *digest, st *state) {
	for _, s := range st.scales {
		d.word(uint64(s))
	}
	for _, v := range append(st.sums[:len(st.sums):len(st.sums)], st.loss, st.plateau.LR, st.plateau.Best, st.best.value) {
		d.word(math.Float64bits(v))
	}
	for _, n := range []int64{int64(st.plateau.Bad), int64(st.plateau.Cooldown), flag(st.plateau.Seen), flag(st.best.seen), st.best.bad, flag(st.best.stopped)} {
		d.word(uint64(n))
	}
	d.word(uint64(len(st.chain)))
}
