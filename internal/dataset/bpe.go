package dataset

import (
	"cmp"
	"container/heap"
	"slices"
)

// A merge makes one token of two that follow each other. Token 256+k is what merge k makes; those below are the bytes.
type merge = [2]int32

// bpe is a byte-pair encoding (Sennrich, Haddow, Birch: "Neural machine translation of rare words with subword units",
// 2016) over bytes. Merges do not cross the borders of words, so any text is a sequence of words, each encoded by itself.
type bpe struct {
	merges []merge
	rank   map[merge]int32
	cache  map[string][]int32 // of words; only while a dataset is opened
}

func newBPE(merges []merge) *bpe {
	t := &bpe{merges: merges, rank: make(map[merge]int32, len(merges))}
	for k, m := range merges {
		t.rank[m] = int32(k)
	}
	return t
}

// maxWord is the length in bytes at which a word is cut.
const maxWord = 64

// word is the length of the word that text begins with: blanks, then bytes of one kind.
func word(text []byte) int {
	n := 0
	for n < len(text) && n < maxWord && kindOf(text[n]) == blank {
		n++
	}
	if n == len(text) || n == maxWord {
		return n
	}
	for kind := kindOf(text[n]); n < len(text) && n < maxWord && kindOf(text[n]) == kind; {
		n++
	}
	return n
}

const (
	blank = iota
	letter
	digit
	other
)

func kindOf(b byte) int {
	switch {
	case b == ' ' || b >= '\t' && b <= '\r':
		return blank
	case b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0x80:
		return letter
	case b >= '0' && b <= '9':
		return digit
	}
	return other
}

// encode appends the tokens of a text.
func (t *bpe) encode(dst []int32, text []byte) []int32 {
	for len(text) > 0 {
		n := word(text)
		tokens, known := t.cache[string(text[:n])]
		if !known {
			tokens = t.encodeWord(text[:n])
			if t.cache != nil {
				t.cache[string(text[:n])] = tokens
			}
		}
		dst = append(dst, tokens...)
		text = text[n:]
	}
	return dst
}

// encodeWord makes the merges in the order in which they were learned, from left to right.
func (t *bpe) encodeWord(text []byte) []int32 {
	tokens := make([]int32, len(text))
	for i, b := range text {
		tokens[i] = int32(b)
	}
	for {
		best, found := int32(0), false
		for i := range len(tokens) - 1 {
			if k, ok := t.rank[merge{tokens[i], tokens[i+1]}]; ok && (!found || k < best) {
				best, found = k, true
			}
		}
		if !found {
			return tokens
		}
		tokens = merged(tokens, t.merges[best], byteVocabulary+best)
	}
}

// merged replaces each pair by one token.
func merged(tokens []int32, pair merge, by int32) []int32 {
	out := tokens[:0]
	for i := 0; i < len(tokens); i++ {
		if i+1 < len(tokens) && (merge{tokens[i], tokens[i+1]}) == pair {
			out = append(out, by)
			i++
			continue
		}
		out = append(out, tokens[i])
	}
	return out
}

// appendToken appends a token's bytes.
func (t *bpe) appendToken(dst []byte, id int32) []byte {
	if id < byteVocabulary {
		return append(dst, byte(id))
	}
	m := t.merges[id-byteVocabulary]
	return t.appendToken(t.appendToken(dst, m[0]), m[1])
}

// learner finds the merges of a text.
type learner struct {
	words []learned
	count map[merge]int
	in    map[merge][]int // words that have the pair, or once had it
	queue pairs
}

// learned is a different word of the text, as it is encoded so far.
type learned struct {
	tokens []int32
	count  int
}

// learnBPE merges, until there are vocab tokens, the pair that is met most often in the text; of several the one whose
// tokens have the lowest numbers. It ends earlier if no pair is met twice. The result is a function of the text alone.
func learnBPE(text []byte, vocab int) *bpe {
	l := &learner{count: map[merge]int{}, in: map[merge][]int{}}
	number := map[string]int{}
	for len(text) > 0 {
		n := word(text)
		i, known := number[string(text[:n])]
		if !known {
			i = len(l.words)
			number[string(text[:n])] = i
			tokens := make([]int32, n)
			for j, b := range text[:n] {
				tokens[j] = int32(b)
			}
			l.words = append(l.words, learned{tokens: tokens})
		}
		l.words[i].count++
		text = text[n:]
	}
	for i := range l.words {
		l.add(i, l.words[i].count)
	}
	for pair, n := range l.count {
		l.queue = append(l.queue, counted{pair, n})
	}
	heap.Init(&l.queue)
	var merges []merge
	for byteVocabulary+len(merges) < vocab {
		pair, ok := l.best()
		if !ok {
			break
		}
		l.merge(pair, int32(byteVocabulary+len(merges)))
		merges = append(merges, pair)
	}
	return newBPE(merges)
}

// add counts the pairs of a word n times.
func (l *learner) add(word, n int) {
	tokens := l.words[word].tokens
	for i := range len(tokens) - 1 {
		pair := merge{tokens[i], tokens[i+1]}
		l.count[pair] += n
		if in := l.in[pair]; n > 0 && (len(in) == 0 || in[len(in)-1] != word) {
			l.in[pair] = append(in, word)
		}
	}
}

// best takes the pair that is met most often; entries of the queue whose count is no longer true are put right or dropped.
func (l *learner) best() (merge, bool) {
	for len(l.queue) > 0 {
		top := heap.Pop(&l.queue).(counted)
		if n := l.count[top.pair]; n == top.n && n > 1 {
			return top.pair, true
		}
	}
	return merge{}, false
}

// merge replaces a pair in all words.
func (l *learner) merge(pair merge, by int32) {
	changed := map[merge]bool{}
	words := l.in[pair]
	slices.Sort(words)
	for _, w := range slices.Compact(words) {
		l.note(w, changed)
		l.add(w, -l.words[w].count)
		l.words[w].tokens = merged(l.words[w].tokens, pair, by)
		l.add(w, l.words[w].count)
		l.note(w, changed)
	}
	delete(l.count, pair)
	delete(l.in, pair)
	for p := range changed {
		if n := l.count[p]; n > 1 {
			heap.Push(&l.queue, counted{p, n})
		} else if n == 0 {
			delete(l.count, p)
		}
	}
}

// note marks the pairs of a word.
func (l *learner) note(word int, changed map[merge]bool) {
	tokens := l.words[word].tokens
	for i := range len(tokens) - 1 {
		changed[merge{tokens[i], tokens[i+1]}] = true
	}
}

// pairs is a queue with the pair that is met most often first.
type pairs []counted

type counted struct {
	pair merge
	n    int
}

func (p pairs) Len() int      { return len(p) }
func (p pairs) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *pairs) Push(x any)   { *p = append(*p, x.(counted)) }
func (p pairs) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(p[j].n, p[i].n), slices.Compare(p[i].pair[:], p[j].pair[:])) < 0
}

func (p *pairs) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}
