package spec

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"strings"
)

// Canonical returns the job as compact JSON with sorted keys: the same bytes for equal jobs, every default written out.
// It is a specification itself, and parsing it gives the same job again.
func (j *Job) Canonical() []byte {
	return encode(j.tree())
}

// FromCanonical reads what Canonical wrote. It checks everything that Parse checks, so bytes from anywhere may be
// given to it. A key that is missing because an older version wrote the bytes gets its default.
func FromCanonical(text []byte) (*Job, error) {
	return Parse("job", text)
}

// Hash identifies what the job's result depends on: two jobs with the same hash and the same data train the same model,
// bit by bit, with the same figures. It is the SHA-256 of the canonical form without
//
//   - metadata and scheduling;
//   - parallelism.workers and bucket_mb (reduction and wire stay: the sums depend on them);
//   - checkpoint.keep_last, keep_best and resume (every and monitor stay: the best state is found by them);
//   - training.log_every;
//   - export.formats (which stays);
//   - init_from.checkpoint and init_from.file where init_from.digest is known: the digest stays.
func (j *Job) Hash() [32]byte {
	root := j.tree()
	delete(root, "metadata")
	delete(root["spec"].(map[string]any), "scheduling")
	for _, path := range []string{
		"parallelism.workers", "parallelism.bucket_mb",
		"checkpoint.keep_last", "checkpoint.keep_best", "checkpoint.resume",
		"training.log_every",
		"export.formats",
	} {
		section, key, _ := strings.Cut(path, ".")
		delete(root["spec"].(map[string]any)[section].(map[string]any), key)
	}
	if f, ok := root["spec"].(map[string]any)["init_from"].(map[string]any); ok && f["digest"] != nil {
		delete(f, "checkpoint")
		delete(f, "file")
	}
	return sha256.Sum256(encode(root))
}

// tree is the job as a JSON value in which zeros that are not defaults are written out.
func (j *Job) tree() map[string]any {
	text, err := json.Marshal(j)
	if err != nil {
		panic(err) // a Job has only finite numbers, strings and lists of them
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	root := map[string]any{}
	if err := dec.Decode(&root); err != nil {
		panic(err) // encoding/json wrote it
	}
	fill(compiled().root, root, schemaZero)
	return root
}

// encode writes a JSON value compactly, its keys sorted.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // the value came from encoding/json
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
