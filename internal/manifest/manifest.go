// Package manifest is the list of what a pushed dataset consists of: its files, and the chunks that hold their bytes.
//
//	files   | a.csv         | b/x.png | b/y.png | c.bin                      |
//	chunks  | 1 MiB | rest  | both together     | 1 MiB | 1 MiB | rest       |
//
// The bytes of all files, one after the other in the order of their names, are cut into chunks, which are named by their
// SHA-256 and lie in the coordinators' store. A large file begins a chunk of its own, so that what is the same in
// another version of a dataset is stored once; small ones share a chunk.
//
// The encoding of a manifest, integers as unsigned varints:
//
//	"LKDATA1\n" | n files, n x (length of the name, name, size) | n chunks, n x (size, SHA-256)
//
// It is canonical: a manifest has one encoding, whose SHA-256 is the dataset's root hash.
package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path"
	"strings"
	"unicode/utf8"
)

// Limits.
const (
	ChunkSize  = 1 << 20 // bytes of the largest chunk
	MaxEncoded = 8 << 20 // bytes of an encoding: about 200 GiB in large files, or 200,000 small ones
	maxName    = 4096    // bytes of a file's name
	maxSize    = 1 << 50 // bytes of all files
	header     = "LKDATA1\n"
)

// ErrInvalid marks bytes that are no manifest.
var ErrInvalid = errors.New("not a manifest of a dataset")

// Hash is a SHA-256.
type Hash = [sha256.Size]byte

// File is a file of the dataset. Names have slashes, and are in the order of their bytes, all different.
type File struct {
	Name string
	Size int64
}

// Chunk is a piece of the files' bytes.
type Chunk struct {
	Size int // 1 to ChunkSize
	Hash Hash
}

// Manifest is one version of a dataset. The chunks are as long together as the files.
type Manifest struct {
	Files  []File
	Chunks []Chunk
}

// Size is that of all files together.
func (m *Manifest) Size() (n int64) {
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

// Encode returns the encoding and its hash, the root.
func (m *Manifest) Encode() ([]byte, Hash) {
	b := []byte(header)
	b = binary.AppendUvarint(b, uint64(len(m.Files)))
	for _, f := range m.Files {
		b = binary.AppendUvarint(b, uint64(len(f.Name)))
		b = append(b, f.Name...)
		b = binary.AppendUvarint(b, uint64(f.Size))
	}
	b = binary.AppendUvarint(b, uint64(len(m.Chunks)))
	for _, c := range m.Chunks {
		b = binary.AppendUvarint(b, uint64(c.Size))
		b = append(b, c.Hash[:]...)
	}
	return b, sha256.Sum256(b)
}

// Decode reads an encoding. It takes no more memory than a small multiple of b's length. Errors match [ErrInvalid].
func Decode(b []byte) (*Manifest, error) {
	d := decoder{rest: b}
	m := &Manifest{}
	if len(b) > MaxEncoded || !bytes.HasPrefix(b, []byte(header)) {
		return nil, fmt.Errorf("%w: %d bytes that begin with %q", ErrInvalid, len(b), b[:min(len(b), len(header))])
	}
	d.rest = b[len(header):]
	total := int64(0)
	for n := d.count(2); n > 0 && d.err == nil; n-- {
		f := File{Name: string(d.bytes(d.uvarint(maxName))), Size: int64(d.uvarint(maxSize))}
		d.check(ValidName(f.Name), "name %q", f.Name)
		d.check(len(m.Files) == 0 || m.Files[len(m.Files)-1].Name < f.Name, "name %q is out of order", f.Name)
		total += f.Size
		d.check(total <= maxSize, "%d bytes", total)
		m.Files = append(m.Files, f)
	}
	for n := d.count(1 + len(Hash{})); n > 0 && d.err == nil; n-- {
		c := Chunk{Size: int(d.uvarint(ChunkSize))}
		d.check(c.Size > 0, "an empty chunk")
		copy(c.Hash[:], d.bytes(uint64(len(c.Hash))))
		total -= int64(c.Size)
		m.Chunks = append(m.Chunks, c)
	}
	d.check(total == 0, "chunks and files differ by %d bytes", total)
	d.check(len(d.rest) == 0, "%d bytes after its end", len(d.rest))
	d.check(len(m.Files) > 0, "no files")
	if d.err != nil {
		return nil, d.err
	}
	if again, _ := m.Encode(); !bytes.Equal(again, b) {
		return nil, fmt.Errorf("%w: not in the one form", ErrInvalid) // a number with leading zeros
	}
	return m, nil
}

// ValidName reports whether a file may have this name: a relative path, clean, without "..".
func ValidName(name string) bool {
	return name != "" && len(name) <= maxName && utf8.ValidString(name) && path.Clean(name) == name && !path.IsAbs(name) &&
		name != "." && name != ".." && !strings.HasPrefix(name, "../") && !strings.ContainsAny(name, "\x00\\")
}

// decoder reads from the front of rest; after an error it gives zeros.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) check(ok bool, format string, args ...any) {
	if !ok && d.err == nil {
		d.err = fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
	}
}

func (d *decoder) uvarint(most uint64) uint64 {
	v, n := binary.Uvarint(d.rest)
	d.check(n > 0 && v <= most, "a number is missing or too large")
	if d.err != nil {
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// count is a number of things that take at least size bytes each.
func (d *decoder) count(size int) uint64 {
	n := d.uvarint(math.MaxInt32)
	d.check(n <= uint64(len(d.rest)/size), "%d entries in %d bytes", n, len(d.rest))
	if d.err != nil {
		return 0
	}
	return n
}

func (d *decoder) bytes(n uint64) []byte {
	d.check(n <= uint64(len(d.rest)), "it ends too early")
	if d.err != nil {
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}
