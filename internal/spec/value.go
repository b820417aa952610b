package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// VocabSize is the Size that stands for the number of tokens of the dataset's vocabulary.
const VocabSize Size = -1

// Size is a count, or the word vocab_size.
type Size int

// MarshalJSON writes the count or the word.
func (s Size) MarshalJSON() ([]byte, error) {
	if s == VocabSize {
		return []byte(`"vocab_size"`), nil
	}
	return json.Marshal(int(s))
}

// UnmarshalJSON reads the count or the word.
func (s *Size) UnmarshalJSON(b []byte) error {
	if string(b) == `"vocab_size"` {
		*s = VocabSize
		return nil
	}
	var n int
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("want a whole number or vocab_size, got %s", b)
	}
	*s = Size(n)
	return nil
}

// Pair is [height, width]; in YAML one number stands for both. The zero Pair is "not given".
type Pair [2]int

// IsZero reports whether the pair was not given.
func (p Pair) IsZero() bool { return p == Pair{} }

// UnmarshalJSON reads n or [h, w].
func (p *Pair) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		var v []int
		if err := json.Unmarshal(b, &v); err != nil || len(v) != 2 {
			return fmt.Errorf("want a number or [height, width], got %s", b)
		}
		*p = Pair{v[0], v[1]}
		return nil
	}
	var n int
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("want a number or [height, width], got %s", b)
	}
	*p = Pair{n, n}
	return nil
}

// UnmarshalJSON reads a metric's name alone or its object.
func (m *Metric) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte(`"`)) {
		return json.Unmarshal(b, &m.Type)
	}
	type plain Metric
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode((*plain)(m))
}

// MarshalJSON writes the object, or the word never.
func (i Interval) MarshalJSON() ([]byte, error) {
	if i == (Interval{}) {
		return []byte(`"never"`), nil
	}
	type plain Interval
	return json.Marshal(plain(i))
}

// UnmarshalJSON reads the object or the word never.
func (i *Interval) UnmarshalJSON(b []byte) error {
	if string(b) == `"never"` {
		*i = Interval{}
		return nil
	}
	type plain Interval
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode((*plain)(i))
}
