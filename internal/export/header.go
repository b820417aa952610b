package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// entry is a tensor as the header describes it: its data are bytes [begin, end) after the header.
type entry struct {
	name       string
	shape      []int
	begin, end int64
}

// rawEntry is the JSON form of an entry.
type rawEntry struct {
	DType   string   `json:"dtype"`
	Shape   *[]int   `json:"shape"`
	Offsets *[]int64 `json:"data_offsets"`
}

// parseHeader reads the JSON object of a header. It walks tokens, since a map would hide a name that comes twice.
func parseHeader(header []byte) (entries []entry, metadata map[string]string, err error) {
	dec := json.NewDecoder(bytes.NewReader(header))
	dec.DisallowUnknownFields()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, errors.Join(errors.New("header is not a JSON object"), err)
	}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, nil, fmt.Errorf("header: %w", err)
		}
		name := t.(string) // Inside an object the decoder gives strings only where a key stands.
		if seen[name] {
			return nil, nil, fmt.Errorf("header has %q twice", name)
		}
		seen[name] = true
		if name == metadataKey {
			if err := dec.Decode(&metadata); err != nil {
				return nil, nil, fmt.Errorf("header: metadata: %w", err)
			}
			continue
		}
		e, err := parseEntry(dec, name)
		if err != nil {
			return nil, nil, err
		}
		entries = append(entries, e)
	}
	return entries, metadata, endHeader(dec)
}

func parseEntry(dec *json.Decoder, name string) (entry, error) {
	if err := checkName(name); err != nil {
		return entry{}, err
	}
	var raw rawEntry
	if err := dec.Decode(&raw); err != nil {
		return entry{}, fmt.Errorf("header of tensor %q: %w", name, err)
	}
	if raw.Shape == nil || raw.Offsets == nil || len(*raw.Offsets) != 2 {
		return entry{}, fmt.Errorf("header of tensor %q: needs shape and two data_offsets", name)
	}
	if raw.DType != "F32" {
		return entry{}, fmt.Errorf("tensor %q: element type %q is not supported, only F32", name, raw.DType)
	}
	e := entry{name: name, shape: *raw.Shape, begin: (*raw.Offsets)[0], end: (*raw.Offsets)[1]}
	n, err := elements(e.shape)
	if err != nil {
		return entry{}, fmt.Errorf("tensor %q: %w", name, err)
	}
	if e.begin < 0 || e.end < e.begin || e.end-e.begin != 4*n {
		return entry{}, fmt.Errorf("tensor %q: data_offsets [%d,%d] do not fit shape %v", name, e.begin, e.end, e.shape)
	}
	return e, nil
}

// endHeader accepts the closing brace and white space, nothing else.
func endHeader(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("header: %w", noEOF(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("header: text after the JSON object")
	}
	return nil
}
