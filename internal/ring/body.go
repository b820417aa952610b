package ring

// body is a vector under reduction: what frames are made from, and what becomes of them.
type body interface {
	// room is the most bytes that the payload for n values takes.
	room(n int) int
	// pack writes the values of s, partial sums or final values, to the payload, and
	// returns its kind and length.
	pack(payload []byte, s span, sums bool) (kind, int)
	// kinds returns the kinds of payload of partial sums and of final values.
	kinds() (sums, final kind)
	// add adds a payload of partial sums to the values of s. Its errors wrap ErrCorrupt,
	// as do those of set.
	add(p *cursor, s span) error
	// finish makes final values of the values of s, whose sums are complete.
	finish(s span) error
	// set takes over a payload of final values.
	set(p *cursor, s span) error
	// ordered tells that the sum depends on the order of the additions.
	ordered() bool
}

// exactBody is the vector of AllReduce.
type exactBody struct {
	r       *Ring
	dst     []float32
	acc     []int64
	convert Convert
}

func (b *exactBody) room(n int) int { return max(4*n, b.r.cfg.Packing.MaxLen(n)) }

func (b *exactBody) pack(payload []byte, s span, sums bool) (kind, int) {
	if sums {
		return kindSums, b.r.cfg.Packing.Pack(payload, b.acc[s.off:s.off+s.n])
	}
	if b.r.cfg.HalfResults {
		putHalves(payload, b.dst[s.off:s.off+s.n])
		return kindHalves, 2 * s.n
	}
	putFloats(payload, b.dst[s.off:s.off+s.n])
	return kindFloats, 4 * s.n
}

func (b *exactBody) kinds() (sums, final kind) {
	if b.r.cfg.HalfResults {
		return kindSums, kindHalves
	}
	return kindSums, kindFloats
}

func (b *exactBody) add(p *cursor, s span) error {
	return b.r.unpack(p, b.acc[s.off:s.off+s.n], true)
}

func (b *exactBody) finish(s span) error {
	dst := b.dst[s.off : s.off+s.n]
	err := b.convert(dst, b.acc[s.off:s.off+s.n], s.off)
	if err == nil && b.r.cfg.HalfResults {
		roundHalves(dst)
	}
	return err
}

func (b *exactBody) set(p *cursor, s span) error {
	if b.r.cfg.HalfResults {
		return b.r.setHalves(p, b.dst[s.off:s.off+s.n])
	}
	return setFloats(p, b.dst[s.off:s.off+s.n])
}

func (b *exactBody) ordered() bool { return false }

// wordsBody is the vector of AllReduceInt64.
type wordsBody struct {
	r     *Ring
	words []int64
}

func (b *wordsBody) room(n int) int { return b.r.cfg.Packing.MaxLen(n) }

func (b *wordsBody) pack(payload []byte, s span, _ bool) (kind, int) {
	return kindWords, b.r.cfg.Packing.Pack(payload, b.words[s.off:s.off+s.n])
}

func (b *wordsBody) kinds() (sums, final kind) { return kindWords, kindWords }

func (b *wordsBody) add(p *cursor, s span) error {
	return b.r.unpack(p, b.words[s.off:s.off+s.n], true)
}

func (b *wordsBody) finish(span) error { return nil }

func (b *wordsBody) set(p *cursor, s span) error {
	return b.r.unpack(p, b.words[s.off:s.off+s.n], false)
}

func (b *wordsBody) ordered() bool { return false }

// floatBody is the vector of AllReduceFloat32.
type floatBody struct {
	r *Ring
	x []float32
}

func (b *floatBody) room(n int) int { return 4 * n }

func (b *floatBody) pack(payload []byte, s span, _ bool) (kind, int) {
	putFloats(payload, b.x[s.off:s.off+s.n])
	return kindFloats, 4 * s.n
}

func (b *floatBody) kinds() (sums, final kind) { return kindFloats, kindFloats }

func (b *floatBody) add(p *cursor, s span) error {
	return b.r.addFloats(p, b.x[s.off:s.off+s.n])
}

func (b *floatBody) finish(span) error { return nil }

func (b *floatBody) set(p *cursor, s span) error { return setFloats(p, b.x[s.off:s.off+s.n]) }

func (b *floatBody) ordered() bool { return true }
