package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"lockstep/internal/source"
	"lockstep/internal/spec"
)

// textReader reads the files of a text dataset. Characters are numbered as they are met, over all files, until the
// vocabulary is settled; bytes are their own numbers.
type textReader struct {
	src    source.Tree
	lim    limits
	bytes  bool // also of bpe, until it is learned
	vocab  int  // of bpe: tokens at most; 0: another tokenizer
	length int  // tokens in a record's input

	number map[rune]int // of the characters met
	runes  []rune       // by number
}

// byteVocabulary is the number of different bytes.
const byteVocabulary = 256

func newTextReader(src source.Tree, lim limits, t *spec.Text) (*textReader, error) {
	if t == nil {
		return nil, errors.New("a text dataset needs its tokenizer and sequence_length")
	}
	vocab := 0
	switch t.Tokenizer {
	case "char", "byte":
	case "bpe":
		if vocab = t.VocabSize; vocab <= byteVocabulary || vocab > 1<<16 {
			return nil, fmt.Errorf("vocab_size is %d, want %d to %d", vocab, byteVocabulary+1, 1<<16)
		}
	default:
		return nil, fmt.Errorf("unknown tokenizer %q: want char, byte or bpe", t.Tokenizer)
	}
	if most := lim.record / 8; t.SequenceLength < 1 || int64(t.SequenceLength) > most { // 8: an id and a label
		return nil, fmt.Errorf("sequence_length is %d, want 1 to %d", t.SequenceLength, most)
	}
	return &textReader{src: src, lim: lim, bytes: t.Tokenizer != "char", vocab: vocab, length: t.SequenceLength, number: map[rune]int{}}, nil
}

func (r *textReader) read(ctx context.Context, _ string, files spec.Files) (*part, error) {
	if files.Images != "" || files.Labels != "" {
		return nil, errors.New(`a text dataset names its file as "file", not as "images" and "labels"`)
	}
	f, err := openFile(ctx, r.src, files.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := newText(f.path, r.lim)
	next := r.nextRune
	if r.bytes {
		next = func(f *file, _ *text) (int, error) {
			b, err := f.ReadByte()
			return int(b), err
		}
	} else {
		skipMark(f)
	}
	for {
		id, err := next(f, t)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, &RecordError{File: f.path, Line: t.line(t.n, r.newline()), Err: err}
		}
		if int64(t.n) >= r.lim.total/2 {
			return nil, f.fault(fmt.Errorf("more than %d bytes of tokens", r.lim.total))
		}
		if err := t.append(uint16(id)); err != nil {
			return nil, f.fault(err)
		}
	}
	w := &windows{text: t, tokens: t.n, length: r.length}
	return &part{records: w, windows: w}, nil
}

// nextRune reads a character and returns its number.
func (r *textReader) nextRune(f *file, t *text) (int, error) {
	c, size, err := f.ReadRune()
	if err != nil {
		return 0, err
	}
	if c == utf8.RuneError && size == 1 {
		f.UnreadRune()
		b, err := f.ReadByte()
		return 0, errors.Join(err, fmt.Errorf("byte %#02x is not UTF-8: if it is meant, write tokenizer: byte", b))
	}
	n, ok := r.number[c]
	if !ok {
		if len(r.runes) == min(r.lim.values, 1<<16) {
			return 0, fmt.Errorf("%q is one character too many: a vocabulary has at most %d", c, len(r.runes))
		}
		n = len(r.runes)
		r.number[c] = n
		r.runes = append(r.runes, c)
	}
	return n, nil
}

// newline is the token that ends a line, -1 if there is none.
func (r *textReader) newline() int {
	if r.bytes {
		return '\n'
	}
	if n, ok := r.number['\n']; ok {
		return n
	}
	return -1
}

// settleText fits the vocabulary to the training split, and fills in Info.
func (b *builder) settleText(r *textReader) error {
	b.info.Shape, b.info.TargetShape, b.info.Integer = []int{r.length}, []int{r.length}, true
	b.info.Vocab, b.info.ClassCount = byteVocabulary, byteVocabulary
	if r.vocab > 0 {
		return b.settleBPE(r)
	}
	if r.bytes {
		return nil
	}
	renumber, names, err := r.vocabulary(b.splits["train"].part.windows)
	if err != nil {
		return err
	}
	for _, name := range splitNames[1:] {
		if s := b.splits[name]; s.Len() > 0 {
			if err := s.part.windows.check(r, renumber); err != nil {
				return fmt.Errorf("split %s: %w", name, err)
			}
		}
	}
	for _, p := range b.parts {
		if err := p.windows.text.renumber(renumber); err != nil {
			return err
		}
	}
	b.info.Classes = names
	b.info.Vocab, b.info.ClassCount = len(names), len(names)
	return nil
}

// vocabulary sorts the characters of the training split. renumber gives the place of each of the reader's among them,
// -1 to those that are not.
func (r *textReader) vocabulary(train *windows) (renumber []int, names []string, err error) {
	in := make([]bool, len(r.runes))
	err = train.text.each(train.first, train.first+train.tokens, func(_, token int) bool {
		in[token] = true
		return true
	})
	order := make([]int, 0, len(r.runes))
	for n := range r.runes {
		if in[n] {
			order = append(order, n)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return int(r.runes[a]) - int(r.runes[b]) })
	renumber = slices.Repeat([]int{-1}, len(r.runes))
	for i, n := range order {
		renumber[n] = i
		names = append(names, string(r.runes[n]))
	}
	return renumber, names, err
}

// check finds a character that the vocabulary lacks.
func (w *windows) check(r *textReader, renumber []int) error {
	at, unknown := -1, 0
	err := w.text.each(w.first, w.first+w.tokens, func(i, n int) bool {
		if renumber[n] < 0 {
			at, unknown = i, n
		}
		return at < 0
	})
	if err != nil || at < 0 {
		return err
	}
	return &RecordError{File: w.text.path, Line: w.text.line(at, r.newline()),
		Err: fmt.Errorf("the character %q is not in the training split: there is nothing to learn of it; tokenizer: byte reads any text", r.runes[unknown])}
}
