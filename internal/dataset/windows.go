package dataset

// textBlock is the number of tokens that are stored together: a power of two.
const textBlock = 1 << 19

// text is a file's tokens.
type text struct {
	path   string
	n      int
	blocks [][]uint16 // of textBlock tokens, but for the last
}

func (t *text) append(token uint16) {
	k := t.n / textBlock
	if k == len(t.blocks) {
		t.blocks = append(t.blocks, nil)
	}
	t.blocks[k] = append(t.blocks[k], token)
	t.n++
}

func (t *text) at(i int) uint16 { return t.blocks[i/textBlock][i%textBlock] }

// line is the line, from 1, that token i is in or would be in.
func (t *text) line(i, newline int) int {
	line := 1
	for j := range i {
		if int(t.at(j)) == newline {
			line++
		}
	}
	return line
}

// renumber replaces each token; those without a number, which nobody reads, become 0.
func (t *text) renumber(to []int) {
	for _, b := range t.blocks {
		for i, token := range b {
			b[i] = uint16(max(to[token], 0))
		}
	}
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
func (w *windows) read(ids, targets []int32, i int) {
	at := w.first + i*w.length
	for j := range ids {
		ids[j] = int32(w.text.at(at + j))
	}
	copy(targets, ids[1:])
	targets[len(ids)-1] = int32(w.text.at(at + len(ids)))
}
