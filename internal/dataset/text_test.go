package dataset

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"lockstep/internal/spec"
)

func textSpec(dir, tokenizer string, length int) spec.Dataset {
	return spec.Dataset{Format: "text", Source: dir, Train: spec.Files{File: "a.txt"}, Text: &spec.Text{Tokenizer: tokenizer, SequenceLength: length}}
}

func TestTextGood(t *testing.T) {
	for name, c := range map[string]struct {
		text, tokenizer string
		length          int
		split           *spec.Split
		vocab           int
		classes         string
		ids, labels     map[string][]int32
	}{
		"characters, sorted": {text: "bäab\na", tokenizer: "char", length: 2, vocab: 4, classes: "\nabä",
			ids: map[string][]int32{"train": {2, 3, 1, 2}}, labels: map[string][]int32{"train": {3, 1, 2, 0}}},
		"bytes": {text: "bä\xff", tokenizer: "byte", length: 3, vocab: 256,
			ids: map[string][]int32{"train": {98, 195, 164}}, labels: map[string][]int32{"train": {195, 164, 255}}},
		"a mark is not a character": {text: "\ufeffab", tokenizer: "char", length: 1, vocab: 2, classes: "ab",
			ids: map[string][]int32{"train": {0}}, labels: map[string][]int32{"train": {1}}},
		"a mark is bytes": {text: "\ufeff", tokenizer: "byte", length: 1, vocab: 256,
			ids: map[string][]int32{"train": {0xef, 0xbb}}, labels: map[string][]int32{"train": {0xbb, 0xbf}}},
		"what is over is left": {text: "abcabca", tokenizer: "char", length: 4, vocab: 3, classes: "abc",
			ids: map[string][]int32{"train": {0, 1, 2, 0}}, labels: map[string][]int32{"train": {1, 2, 0, 1}}},
		"cut as it runs": {text: "abcdabcbad", tokenizer: "char", length: 2, split: &spec.Split{Train: 0.4, Val: 0.3, Test: 0.3}, vocab: 4, classes: "abcd",
			ids:    map[string][]int32{"train": {0, 1}, "val": {0, 1}, "test": {1, 0}},
			labels: map[string][]int32{"train": {1, 2}, "val": {1, 2}, "test": {0, 3}}},
		"fitted on the training part": {text: "abcabzzz", tokenizer: "char", length: 1, split: &spec.Split{Train: 0.4, Val: 0.2}, vocab: 3, classes: "abc",
			ids: map[string][]int32{"train": {0, 1}, "val": {0}}, labels: map[string][]int32{"train": {1, 2}, "val": {1}}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, wrap := range []func([]byte) []byte{bytes.Clone, zipped} {
				d := textSpec(folder(t, map[string][]byte{"a.txt": wrap([]byte(c.text))}), c.tokenizer, c.length)
				d.Split = c.split
				ds := opened(t, d, 1)
				for _, name := range []string{"train", "val", "test"} {
					b := whole(t, ds.Split(name))
					if !slices.Equal(b.IDs, c.ids[name]) || !slices.Equal(b.Labels, c.labels[name]) || len(b.X)+len(b.Y) > 0 {
						t.Errorf("%s: ids %v labels %v, want %v %v", name, b.IDs, b.Labels, c.ids[name], c.labels[name])
					}
				}
				info := ds.Info()
				if info.Vocab != c.vocab || info.ClassCount != c.vocab || strings.Join(info.Classes, "") != c.classes || !info.Integer ||
					!slices.Equal(info.Shape, []int{c.length}) || !slices.Equal(info.TargetShape, []int{c.length}) {
					t.Errorf("info %+v, want vocabulary of %d: %q", info, c.vocab, c.classes)
				}
			}
		})
	}
}

func TestTextFilesOfItsOwn(t *testing.T) {
	d := textSpec(folder(t, map[string][]byte{"a.txt": []byte("cab!"), "v.txt": []byte("abcab"), "t.txt": []byte("ca")}), "char", 1)
	d.Val, d.Test = &spec.Files{File: "v.txt"}, &spec.Files{File: "t.txt"}
	d.Split = &spec.Split{Train: 0.75}
	ds := opened(t, d, 1)
	for name, want := range map[string][]int32{"train": {2, 0}, "val": {0, 1, 2, 0}, "test": {2}} {
		if b := whole(t, ds.Split(name)); !slices.Equal(b.IDs, want) {
			t.Errorf("%s: ids %v, want %v", name, b.IDs, want)
		}
	}
	if got := strings.Join(ds.Info().Classes, ""); got != "abc" {
		t.Errorf("vocabulary %q, want abc", got)
	}
	if file, n := ds.Split("val").Record(3); !strings.HasSuffix(file, "v.txt") || n != 4 {
		t.Errorf("record 3 of val is window %d of %s", n, file)
	}
}

func TestTextBad(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		change func(*spec.Dataset)
		lim    limits
		want   string
	}{
		"empty":           {"", nil, defaultLimits, "a.txt: split train: a sequence of 3 and the token after it do not fit into 0 tokens"},
		"short":           {"abc", nil, defaultLimits, "a.txt: split train: a sequence of 3 and the token after it do not fit into 3 tokens"},
		"short split":     {"abcdefabcdef", func(d *spec.Dataset) { d.Split = &spec.Split{Train: 0.75, Val: 0.25} }, defaultLimits, "a.txt: split val: a sequence of 3 and the token after it do not fit into 3 tokens"},
		"no split":        {"abcdef", func(d *spec.Dataset) { d.Split = &spec.Split{Train: 0.99, Val: 0.01} }, defaultLimits, "split val: a fraction of 0.01 of 6 records is none"},
		"short test":      {"abcdef", func(d *spec.Dataset) { d.Test = &spec.Files{File: "b.txt"} }, defaultLimits, "b.txt: split test: a sequence of 3 and the token after it do not fit into 2 tokens"},
		"latin 1":         {"one\ntwo\nf\xfcnf", nil, defaultLimits, "read train files: a.txt: line 3: byte 0xfc is not UTF-8: if it is meant, write tokenizer: byte"},
		"cut off":         {"abc\xe2\x82", nil, defaultLimits, "read train files: a.txt: line 1: byte 0xe2 is not UTF-8: if it is meant, write tokenizer: byte"},
		"new character":   {"ab\ncab\ncab\nde\nd", func(d *spec.Dataset) { d.Split = &spec.Split{Train: 0.7, Val: 0.3} }, defaultLimits, "split val: a.txt: line 4: the character 'd' is not in the training split: there is nothing to learn of it; tokenizer: byte reads any text"},
		"many characters": {"abcdef", nil, limits{total: 1000, record: 100, values: 4}, "read train files: a.txt: line 1: 'e' is one character too many: a vocabulary has at most 4"},
		"long":            {"abcabcabc", nil, limits{total: 16, record: 100, values: 9}, "read train files: a.txt: more than 16 bytes of tokens"},
		"long sequence":   {"abcabcabc", nil, limits{total: 100, record: 16, values: 9}, "sequence_length is 3, want 1 to 2"},
		"no sequence":     {"abc", func(d *spec.Dataset) { d.Text.SequenceLength = 0 }, defaultLimits, "sequence_length is 0, want 1 to 33554432"},
		"tokenizer":       {"abc", func(d *spec.Dataset) { d.Text.Tokenizer = "wordpiece" }, defaultLimits, `unknown tokenizer "wordpiece": want char, byte or bpe`},
		"no settings":     {"abc", func(d *spec.Dataset) { d.Text = nil }, defaultLimits, "a text dataset needs its tokenizer and sequence_length"},
		"images":          {"abc", func(d *spec.Dataset) { d.Train = spec.Files{Images: "a.txt"} }, defaultLimits, `read train files: a text dataset names its file as "file", not as "images" and "labels"`},
		"cut-off gzip":    {string(zipped([]byte("abcabc"))[:20]), nil, defaultLimits, "read train files: a.txt: line 1: truncated gzip stream"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string][]byte{"a.txt": []byte(c.text), "b.txt": []byte("ab")})
			d := textSpec(dir, "char", 3)
			if c.change != nil {
				c.change(&d)
			}
			refused(t, d, c.lim, dir, c.want)
		})
	}
}

// More tokens than a block, windows over the seams, against slices of the text itself.
func TestTextManyBlocks(t *testing.T) {
	const length = 1000
	r := rand.New(rand.NewPCG(1, 2))
	runes := make([]rune, 1<<20+12345)
	for i := range runes {
		runes[i] = []rune("äöüß€😀\nxyz")[r.IntN(10)]
	}
	d := textSpec(folder(t, map[string][]byte{"a.txt": []byte(string(runes))}), "char", length)
	d.Split = &spec.Split{Train: 0.9, Val: 0.1}
	ds := opened(t, d, 1)
	from := 0
	for _, c := range []struct {
		name string
		n    int
	}{{"train", int(math.Round(0.9 * float64(len(runes))))}, {"val", len(runes) - int(math.Round(0.9*float64(len(runes))))}} {
		checkWindows(t, ds, c.name, runes[from:from+c.n], length)
		from += c.n
	}
}

// checkWindows compares a split with what the documentation says of these tokens.
func checkWindows(t *testing.T, ds *Dataset, name string, tokens []rune, length int) {
	t.Helper()
	s := ds.Split(name)
	want := 0
	for at := 0; at+length < len(tokens); at += length {
		want++
	}
	if s.Len() != want {
		t.Fatalf("%s has %d windows, want %d", name, s.Len(), want)
	}
	b := whole(t, s)
	spell := func(id int32) rune {
		if classes := ds.Info().Classes; classes != nil {
			r, _ := utf8.DecodeRuneInString(classes[id])
			return r
		}
		return rune(id)
	}
	for i := range want * length {
		if spell(b.IDs[i]) != tokens[i] || spell(b.Labels[i]) != tokens[i+1] {
			t.Fatalf("%s: token %d is %q, then %q; want %q, %q", name, i, spell(b.IDs[i]), spell(b.Labels[i]), tokens[i], tokens[i+1])
		}
	}
}

func TestTextFingerprint(t *testing.T) {
	seen := map[[32]byte]string{}
	for name, c := range map[string]struct {
		text, tokenizer string
		length          int
		split           *spec.Split
	}{
		"as it is":     {"abcabcabc", "char", 2, nil},
		"a character":  {"abcabcabb", "char", 2, nil},
		"the first":    {"cbcabcabc", "char", 2, nil},
		"the alphabet": {"abdabdabd", "char", 2, nil},
		"bytes":        {"abcabcabc", "byte", 2, nil},
		"length":       {"abcabcabc", "char", 4, nil},
		"split":        {"abcabcabc", "char", 2, &spec.Split{Train: 0.6, Val: 0.4}},
	} {
		d := textSpec(folder(t, map[string][]byte{"a.txt": []byte(c.text)}), c.tokenizer, c.length)
		d.Split = c.split
		sum := opened(t, d, 1).Info().Fingerprint
		if other, ok := seen[sum]; ok {
			t.Errorf("%q and %q have the same fingerprint", name, other)
		}
		seen[sum] = name
		if again := opened(t, d, 2).Info().Fingerprint; again != sum {
			t.Errorf("%q: the fingerprint depends on the seed", name)
		}
	}
}

// The fingerprint of a text against its documentation, done literally.
func TestTextFingerprintIsAsDocumented(t *testing.T) {
	d := textSpec(folder(t, map[string][]byte{"a.txt": []byte("cbabc")}), "char", 2)
	var root, leaf bytes.Buffer
	put := func(b *bytes.Buffer, v any) { binary.Write(b, binary.LittleEndian, v) }
	root.WriteString("lockstep dataset 1\n")
	put(&root, []uint64{2, 3, 0, 3, 1})
	root.WriteString("a")
	put(&root, uint64(1))
	root.WriteString("b")
	put(&root, uint64(1))
	root.WriteString("c")
	put(&leaf, []int32{2, 1, 1, 0, 0, 1, 1, 2}) // ids, then labels, of each of two windows
	sum := sha256.Sum256(leaf.Bytes())
	put(&root, uint64(2))
	root.Write(sum[:])
	put(&root, []uint64{0, 0})
	if got := opened(t, d, 1).Info().Fingerprint; got != sha256.Sum256(root.Bytes()) {
		t.Errorf("fingerprint %x, want %x", got, sha256.Sum256(root.Bytes()))
	}
}

// Shakespeare, as it lies beside the examples.
func TestShakespeare(t *testing.T) {
	d := textSpec(exampleData, "char", 64)
	d.Train.File = "tinyshakespeare.txt.gz"
	d.Split = &spec.Split{Train: 0.9, Val: 0.1}
	info := opened(t, d, 1).Info()
	const alphabet = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	if got := strings.Join(info.Classes, ""); got != alphabet || info.Vocab != 65 {
		t.Errorf("vocabulary of %d: %q, want %q", info.Vocab, got, alphabet)
	}
	// 1,115,394 characters, of which 1,003,855 train.
	if info.Train != 15685 || info.Val != 1742 || info.Test != 0 {
		t.Errorf("%d, %d and %d windows, want 15685, 1742 and 0", info.Train, info.Val, info.Test)
	}
}

// FuzzText opens any text, with any cut, against slices of it.
func FuzzText(f *testing.F) {
	f.Add([]byte("to be, or not to be\n"), uint8(4), uint8(60), uint8(20), false)
	f.Add([]byte("\ufeffäöü\xff"), uint8(1), uint8(100), uint8(0), true)
	f.Add([]byte("äöü\xe2\x82"), uint8(2), uint8(50), uint8(50), false)
	f.Add(zipped([]byte("aaaa")), uint8(2), uint8(50), uint8(50), false)
	dir := f.TempDir() // one file, written anew: a folder for each run would take most of the time
	f.Fuzz(func(t *testing.T, content []byte, length, train, val uint8, asBytes bool) {
		if err := os.WriteFile(filepath.Join(dir, "a.txt"), content, 0o666); err != nil {
			t.Fatal(err)
		}
		d := textSpec(dir, "char", int(length%16)+1)
		if asBytes {
			d.Text.Tokenizer = "byte"
		}
		train, val = train%100+1, val%100
		if train+val > 100 {
			val = 100 - train
		}
		d.Split = &spec.Split{Train: float64(train) / 100, Val: float64(val) / 100}
		ds, err := open(t.Context(), d, 1, limits{total: 1 << 16, record: 1 << 10, values: 200})
		if err != nil || bytes.HasPrefix(content, []byte{0x1f, 0x8b}) {
			return
		}
		var tokens []rune
		if asBytes {
			for _, b := range content {
				tokens = append(tokens, rune(b))
			}
		} else {
			if !utf8.Valid(content) {
				t.Fatal("text that is not UTF-8 was read as characters")
			}
			tokens = []rune(strings.TrimPrefix(string(content), "\ufeff"))
		}
		cut := int(math.Round(float64(len(tokens)) * d.Split.Train))
		end := min(int(math.Round(float64(len(tokens))*(d.Split.Train+d.Split.Val))), len(tokens))
		checkWindows(t, ds, "train", tokens[:cut], d.Text.SequenceLength)
		if val > 0 {
			checkWindows(t, ds, "val", tokens[cut:end], d.Text.SequenceLength)
		}
		if want := len(slices.Compact(slices.Sorted(slices.Values(tokens[:cut])))); !asBytes && ds.Info().Vocab != want {
			t.Fatalf("vocabulary of %d, want %d", ds.Info().Vocab, want)
		}
	})
}

func BenchmarkOpenText(b *testing.B) {
	for _, tokenizer := range []string{"char", "byte"} {
		b.Run(tokenizer, func(b *testing.B) {
			d := textSpec(exampleData, tokenizer, 64)
			d.Train.File = "tinyshakespeare.txt.gz"
			for b.Loop() {
				opened(b, d, 1)
			}
		})
	}
}
