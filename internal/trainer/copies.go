package trainer

import "lockstep/internal/ckpt"

// checkpoint is a copy of the state that is to be stored, and the memory that it lies in.
type checkpoint struct {
	*ckpt.State
	memory *copies
}

// copies is memory for one copy of a state. It is used again: fresh pages cost far more than the copy.
type copies struct {
	vectors [][]float32
	used    int
}

// reserve takes the memory for count vectors of n elements, and has the system give it now.
func (c *copies) reserve(count, n int) {
	for range count {
		v := make([]float32, n)
		for i := 0; i < n; i += pageElements {
			v[i] = 0
		}
		c.vectors = append(c.vectors, v)
	}
}

// pageElements is the least size of the system's pages, in elements.
const pageElements = 1 << 10

// of copies a vector.
func (c *copies) of(v []float32) []float32 {
	if c.used == len(c.vectors) {
		c.vectors = append(c.vectors, nil)
	}
	c.vectors[c.used] = append(c.vectors[c.used][:0], v...)
	c.used++
	return c.vectors[c.used-1]
}

// readyCopies takes the memory for checkpoints before the first step, if any is made before the last: the steps would wait for it.
func (t *task) readyCopies() {
	if e := t.spec.Checkpoint.Every; t.spare != nil || e.Steps == 0 && e.Epochs == 0 {
		return
	}
	vectors := 1 + len(t.opt.Slots())
	if t.keepsBest() {
		vectors++
	}
	memory := new(copies)
	memory.reserve(vectors, t.net.Size())
	t.spare = append(t.spare, memory)
}

// maxSpare is for the checkpoint under way and one that waits.
const maxSpare = 2

// copied makes a checkpoint of a state.
func (t *task) copied(s *state) checkpoint {
	memory := new(copies)
	if n := len(t.spare); n > 0 {
		memory, t.spare = t.spare[n-1], t.spare[:n-1]
	}
	return checkpoint{t.encodeInto(memory, s), memory}
}

// release gives back the memory of a checkpoint that nobody needs any more.
func (t *task) release(c checkpoint) {
	if len(t.spare) < maxSpare {
		t.spare = append(t.spare, c.memory)
	}
}
