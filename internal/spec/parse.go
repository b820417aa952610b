package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Parse reads a specification: YAML (or JSON, which is YAML) of at most 1 MiB, checks it, and fills in every default.
// What it returns depends on text alone, but for a default of Metadata.Name, which comes from the file's name. file
// names the text in errors, each an *Error; several are joined, in the text's order, at most ten of them.
func Parse(file string, text []byte) (*Job, error) {
	j, _, err := parse(file, text)
	return j, err
}

// Load parses the specification in a file and resolves its relative paths, as ResolveSource does.
func Load(path string) (*Job, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load specification: %w", err)
	}
	j, err := Parse(path, text)
	if err != nil {
		return nil, err
	}
	if err := j.ResolveSource(path); err != nil {
		return nil, err
	}
	return j, nil
}

// parse is Parse that returns the document too, for errors that are found later.
func parse(file string, text []byte) (*Job, *document, error) {
	d, err := read(file, text)
	if err != nil {
		return nil, nil, err
	}
	d.respell()
	d.validate()
	if err := d.err(); err != nil {
		return nil, nil, err
	}
	fill(compiled().root, d.root, schemaDefault)
	j, err := decode(d.root)
	if err != nil {
		return nil, nil, d.whole(err.Error(), "")
	}
	d.fillRest(j)
	d.check(j)
	if err := d.err(); err != nil {
		return nil, nil, err
	}
	return j, d, nil
}

// decode turns a valid JSON value into a Job.
func decode(root any) (*Job, error) {
	text, err := json.Marshal(root)
	if err != nil {
		return nil, fmt.Errorf("encode specification: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	j := new(Job)
	if err := dec.Decode(j); err != nil {
		return nil, fmt.Errorf("decode specification: %w", err)
	}
	return j, nil
}

// nameFromFile makes a job's name from its file's: lower case, with what a name may not hold turned into '-'.
func nameFromFile(file string) string {
	base := strings.ToLower(filepath.Base(file))
	base = strings.TrimSuffix(base, filepath.Ext(base))
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, base)
	name = strings.Trim(name[:min(len(name), 63)], "-.")
	if name == "" {
		return "job"
	}
	return name
}
