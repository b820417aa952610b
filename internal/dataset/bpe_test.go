package dataset

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"lockstep/internal/rng"
	"lockstep/internal/spec"
)

// plainBPE learns merges by counting everything again for each.
func plainBPE(text []byte, vocab int) []merge {
	var words [][]int32
	for len(text) > 0 {
		n := word(text)
		var w []int32
		for _, b := range text[:n] {
			w = append(w, int32(b))
		}
		words, text = append(words, w), text[n:]
	}
	var merges []merge
	for byteVocabulary+len(merges) < vocab {
		count := map[merge]int{}
		for _, w := range words {
			for i := range len(w) - 1 {
				count[merge{w[i], w[i+1]}]++
			}
		}
		best, most := merge{}, 1
		for pair, n := range count {
			if n > most || n == most && n > 1 && slices.Compare(pair[:], best[:]) < 0 {
				best, most = pair, n
			}
		}
		if most < 2 {
			break
		}
		for i, w := range words {
			words[i] = merged(w, best, int32(byteVocabulary+len(merges)))
		}
		merges = append(merges, best)
	}
	return merges
}

const verse = "To be, or not to be, that is the question:\nWhether 'tis nobler in the mind to suffer\n  the slings and arrows... 1603 1604 aaaaaaa bbbb aaaa\n"

func TestBPELearnsWhatCountingLearns(t *testing.T) {
	for _, text := range []string{verse, strings.Repeat("a", 300), "ababababab abab ab", "", "x", verse + verse + strings.ToUpper(verse)} {
		if got, want := learnBPE([]byte(text), 330).merges, plainBPE([]byte(text), 330); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestBPEDataset(t *testing.T) {
	train := strings.Repeat(verse, 20)
	dir := folder(t, map[string][]byte{"a.txt": []byte(train), "b.txt": []byte("the wind, \xff and é\n" + verse)})
	d := spec.Dataset{Format: "text", Source: dir, Train: spec.Files{File: "a.txt"}, Val: &spec.Files{File: "b.txt"},
		Text: &spec.Text{Tokenizer: "bpe", SequenceLength: 8, VocabSize: 300}}
	ds := opened(t, d, 1)
	info := ds.Info()
	if info.Vocab != 300 || info.ClassCount != 300 || !info.Integer || len(info.Merges) != 44 || info.Classes != nil {
		t.Fatalf("%+v", info)
	}
	if again := opened(t, d, 1).Info(); again.Fingerprint != info.Fingerprint || !slices.Equal(again.Merges, info.Merges) {
		t.Error("learned differently again")
	}
	in, err := NewInput(info)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"train": train, "val": "the wind, \xff and é\n" + verse} {
		b := whole(t, ds.Split(name))
		if got := in.Text(b.IDs); !strings.HasPrefix(text, got) || len(got) < len(text)-60 {
			t.Errorf("%s: %q", name, got[:min(len(got), 80)])
		}
		if ids, err := in.Tokens(nil, text); err != nil || !slices.Equal(ids[:len(b.IDs)], b.IDs) || !slices.Equal(ids[1:len(b.IDs)+1], b.Labels) {
			t.Errorf("%s: prediction reads other tokens than training: %v", name, err)
		}
	}
	d.Text.VocabSize = 256
	refused(t, d, defaultLimits, dir, "vocab_size is 256, want 257 to 65536")
	d.Text.VocabSize, d.Text.SequenceLength = 300, 2000
	refused(t, d, defaultLimits, dir, "b.txt: split val: a sequence of 2000 and the token after it do not fit into 159 tokens")
}

// FuzzBPE learns from one text and brings another one back.
func FuzzBPE(f *testing.F) {
	f.Add([]byte(verse), []byte("the end"))
	f.Add([]byte("aaaa\x00\xff  \n"), []byte("aaaa aaaa"))
	f.Fuzz(func(t *testing.T, text, other []byte) {
		b := learnBPE(text, 270)
		if want := plainBPE(text, 270); !slices.Equal(b.merges, want) {
			t.Fatalf("%v, want %v", b.merges, want)
		}
		for _, text := range [][]byte{text, other} {
			var back []byte
			for _, id := range b.encode(nil, text) {
				back = b.appendToken(back, id)
			}
			if !bytes.Equal(back, text) {
				t.Fatalf("%q came back as %q", text, back)
			}
		}
	})
}

func TestElementary(t *testing.T) {
	for x := 1e-9; x < 1e9; x *= 1.37 {
		if got, want := ln(x), math.Log(x); math.Abs(got-want) > 2e-15*max(1, math.Abs(want)) {
			t.Errorf("ln %v is %v, want %v", x, got, want)
		}
	}
	for x := -math.Pi; x <= math.Pi; x += 0.01 {
		sin, cos := sinCos(x)
		if math.Abs(sin-math.Sin(x)) > 1e-14 || math.Abs(cos-math.Cos(x)) > 1e-14 {
			t.Errorf("%v: %v %v", x, sin, cos)
		}
	}
	// Fixed: another machine has to give the same bits.
	var sum uint64
	s := rng.New(1, rng.Augment, 0, 0, 0)
	mean, square := 0.0, 0.0
	const n = 20000
	for range n {
		u, v := normals(&s)
		sum = sum*31 + math.Float64bits(u) + math.Float64bits(v)
		mean += u + v
		square += float64(u*u) + float64(v*v)
	}
	if mean /= 2 * n; math.Abs(mean) > 0.02 || math.Abs(square/(2*n)-1) > 0.03 {
		t.Errorf("mean %v, variance %v", mean, square/(2*n))
	}
	if sum != wantNormals {
		t.Errorf("the normals' bits sum to %#x, want %#x", sum, wantNormals)
	}
}

const wantNormals uint64 = 0x1172c0705f227237

// Turned by 0 an image stays; by a quarter turn pixels change places; noise and crops stay within bounds.
func TestAugmentationResampled(t *testing.T) {
	a := &augmentation{height: 3, width: 3, channels: 1, outside: []float32{-1}}
	x, scratch := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}, make([]float32, 9)
	a.rotate(x, scratch, 0)
	if !slices.Equal(x, []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}) {
		t.Errorf("%v", x)
	}
	a.rotate(x, scratch, math.Pi/2)
	for i, want := range []float32{7, 4, 1, 8, 5, 2, 9, 6, 3} {
		if math.Abs(float64(x[i]-want)) > 1e-5 && math.Abs(float64(x[8-i]-want)) > 1e-5 {
			t.Fatalf("%v", x)
		}
	}
	x = []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}
	a.stretch(x, scratch, 0, 0, 1)
	if !slices.Equal(x, []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}) {
		t.Errorf("%v", x)
	}
	a.stretch(x, scratch, 1, 1, 1.0/3)
	for _, v := range x {
		if v < 3.6 || v > 6.4 {
			t.Fatalf("%v", x)
		}
	}
	d := imageSpec(t, 30, 5, 4, 1)
	d.Preprocessing = nil
	d.Augmentation = []spec.Preprocessor{{Type: "random_rotation", Degrees: 30}, {Type: "random_resized_crop", Scale: 0.5}, {Type: "gaussian_noise", Stddev: 0.5}}
	s := opened(t, d, 3).Split("train")
	var b Batch
	if err := s.Read(&b, every(30), 1); err != nil {
		t.Fatal(err)
	}
	first := slices.Clone(b.X)
	if err := s.Read(&b, []int{7}, 1); err != nil || !slices.Equal(b.X, first[7*20:8*20]) {
		t.Errorf("record 7 depends on its batch: %v", err)
	}
	if err := s.Read(&b, []int{7}, 2); err != nil || slices.Equal(b.X, first[7*20:8*20]) {
		t.Errorf("two epochs are augmented alike: %v", err)
	}
}
