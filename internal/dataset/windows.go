package dataset

import (
	"encoding/binary"

	"lockstep/internal/dataset/blocks"
)

// tokenBytes is the size of a token as it is kept: 16 bits, little-endian.
const tokenBytes = 2

// text is a file's tokens.
type text struct {
	path  string
	n     int
	store *blocks.Store
}

func newText(path string, lim limits) *text { return &text{path: path, store: lim.store(tokenBytes)} }

func (t *text) append(token uint16) error {
	b, err := t.store.Add()
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint16(b, token)
	t.n++
	return nil
}

// each calls f with the tokens from up to, not including, to, as long as it returns true.
func (t *text) each(from, to int, f func(i, token int) bool) error {
	for more := true; more && from < to; {
		b, pin, err := t.store.View(from)
		if err != nil {
			return &RecordError{File: t.path, Err: err}
		}
		n := min(len(b)/tokenBytes, to-from)
		for j := 0; more && j < n; j++ {
			more = f(from+j, int(binary.LittleEndian.Uint16(b[tokenBytes*j:])))
		}
		pin.Release()
		from += n
	}
	return nil
}

// line is the line, from 1, that token i is in or would be in.
func (t *text) line(i, newline int) int {
	line := 1
	_ = t.each(0, i, func(_, token int) bool { // the line is for an error that is told already
		if token == newline {
			line++
		}
		return true
	})
	return line
}

// renumber replaces each token; those without a number, which nobody reads, become 0.
func (t *text) renumber(to []int) error {
	err := t.store.Update(func(_ int, b []byte) {
		binary.LittleEndian.PutUint16(b, uint16(max(to[binary.LittleEndian.Uint16(b)], 0)))
	})
	if err != nil {
		return &RecordError{File: t.path, Err: err}
	}
	return nil
}

// windows are the records of a range of a text's tokens:
//
//	tokens    first ........................................ first+tokens
//	record 0  | length inputs |
//	           | its targets   |
//	record 1                  | length inputs |
//	                           | its targets   |
//
// They may be read once the vocabulary is settled.
type windows struct {
	text          *text
	first, tokens int
	length        int // tokens in a record's input
}

// cut returns the windows of the tokens numbered from up to, not including, to.
func (w *windows) cut(from, to int) *windows {
	return &windows{text: w.text, first: w.first + from, tokens: to - from, length: w.length}
}

func (w *windows) len() int   { return max(w.tokens-1, 0) / w.length }
func (w *windows) width() int { return w.length }

func (w *windows) place(i int) (string, int) { return w.text.path, i + 1 }

func (w *windows) fault(err error) error { return &RecordError{File: w.text.path, Err: err} }

// read fills the inputs and the targets of record i.
func (w *windows) read(ids, targets []int32, i int) error {
	at := w.first + i*w.length
	return w.text.each(at, at+w.length+1, func(k, token int) bool {
		if k -= at; k < w.length {
			ids[k] = int32(token)
		}
		if k > 0 {
			targets[k-1] = int32(token)
		}
		return true
	})
}

// load brings record i into memory ahead of its use. What goes wrong is told by who uses it.
func (w *windows) load(i int) { _ = w.text.store.Load(w.first + i*w.length) }
