package dataset

import "fmt"

// settleBPE learns the tokens from the bytes of the training split, and encodes each split by them. A text is learned from as
// a whole.
func (b *builder) settleBPE(r *textReader) error {
	learned, err := b.splits["train"].part.windows.bytes(r.lim)
	if err != nil {
		return err
	}
	t := learnBPE(learned, r.vocab)
	r.lim.release(len(learned))
	t.cache = map[string][]int32{}
	for _, name := range splitNames {
		s := b.splits[name]
		if s.Len() == 0 {
			continue
		}
		w, err := s.part.windows.encoded(t, r.lim)
		if err == nil && w.len() == 0 {
			err = w.fault(fmt.Errorf("split %s: a sequence of %d and the token after it do not fit into %d tokens", name, w.length, w.tokens))
		}
		if err != nil {
			return err
		}
		b.splits[name] = &Split{part: &part{records: w, windows: w}, index: upTo(w.len())}
	}
	for _, p := range b.parts {
		p.windows.text.store.Free()
	}
	b.info.Merges = t.merges
	b.info.Vocab = byteVocabulary + len(t.merges)
	b.info.ClassCount = b.info.Vocab
	return nil
}

// bytes are the tokens, which have to be bytes; they are to be released.
func (w *windows) bytes(lim limits) ([]byte, error) {
	if lim.space != nil && !lim.space.Reserve(int64(w.tokens)) {
		return nil, w.fault(fmt.Errorf("%d bytes for a byte-pair encoding do not fit into the memory for data (--memory-for-data): raise it, or take tokenizer: byte", w.tokens))
	}
	text := make([]byte, 0, w.tokens)
	err := w.text.each(w.first, w.first+w.tokens, func(_, token int) bool {
		text = append(text, byte(token))
		return true
	})
	return text, err
}

// encoded are the windows of the same text in other tokens.
func (w *windows) encoded(t *bpe, lim limits) (*windows, error) {
	rest, err := w.bytes(lim)
	if err != nil {
		return nil, err
	}
	defer lim.release(len(rest))
	to := newText(w.text.path, lim)
	for len(rest) > 0 {
		n := word(rest)
		for _, id := range t.encode(nil, rest[:n]) {
			if err := to.append(uint16(id)); err != nil {
				return nil, w.fault(err)
			}
		}
		rest = rest[n:]
	}
	return &windows{text: to, tokens: to.n, length: w.length}, nil
}
