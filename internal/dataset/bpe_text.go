package dataset

import "fmt"

// settleBPE learns the tokens from the bytes of the training split, and encodes each split by them.
func (b *builder) settleBPE(r *textReader) error {
	t := learnBPE(b.splits["train"].part.windows.bytes(), r.vocab)
	t.cache = map[string][]int32{}
	for _, name := range splitNames {
		s := b.splits[name]
		if s.Len() == 0 {
			continue
		}
		w := s.part.windows.encoded(t)
		if w.len() == 0 {
			return w.fault(fmt.Errorf("split %s: a sequence of %d and the token after it do not fit into %d tokens", name, w.length, w.tokens))
		}
		b.splits[name] = &Split{part: &part{records: w, windows: w}, index: upTo(w.len())}
	}
	b.info.Merges = t.merges
	b.info.Vocab = byteVocabulary + len(t.merges)
	b.info.ClassCount = b.info.Vocab
	return nil
}

// bytes are the tokens, which have to be bytes.
func (w *windows) bytes() []byte {
	text := make([]byte, w.tokens)
	for i := range text {
		text[i] = byte(w.text.at(w.first + i))
	}
	return text
}

// encoded are the windows of the same text in other tokens.
func (w *windows) encoded(t *bpe) *windows {
	to := &text{path: w.text.path}
	for rest := w.bytes(); len(rest) > 0; {
		n := word(rest)
		for _, id := range t.encode(nil, rest[:n]) {
			to.append(uint16(id))
		}
		rest = rest[n:]
	}
	return &windows{text: to, tokens: to.n, length: w.length}
}
