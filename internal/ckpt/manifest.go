package ckpt

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
)

// ChunkSize is the length of every chunk of a manifest but the last, in bytes.
const ChunkSize = 1 << 20

// Span is the part of an encoding that one chunk holds.
type Span struct {
	Off int64
	Len int
}

// Split cuts total bytes into spans of size bytes; the last may be shorter. It panics unless total >= 0 and size > 0.
func Split(total int64, size int) []Span {
	if total < 0 || size <= 0 {
		panic(fmt.Sprintf("ckpt: split of %d bytes by %d", total, size))
	}
	spans := make([]Span, 0, chunkCount(total, size))
	for off := int64(0); off < total; off += int64(size) {
		spans = append(spans, Span{Off: off, Len: int(min(int64(size), total-off))})
	}
	return spans
}

func chunkCount(total int64, size int) int64 { return total/int64(size) + min(1, total%int64(size)) }

// Manifest lists the chunks of ChunkSize bytes of one encoding. Its Root names the whole.
//
//	root = SHA-256("lockstep manifest 1\n" | size u64 | chunk hashes, 32 bytes each)
type Manifest struct {
	Size   int64  `json:"size"` // bytes
	Chunks []Hash `json:"chunks"`
	Root   Hash   `json:"root"`
}

// NewManifest returns the manifest of size bytes in the given chunks. Call Verify on one made from foreign values.
func NewManifest(size int64, chunks []Hash) Manifest {
	m := Manifest{Size: size, Chunks: chunks}
	m.Root = m.root()
	return m
}

// ManifestFrom returns the manifest with the given hashes, 32 bytes each, verified.
func ManifestFrom(size int64, chunks [][]byte, root []byte) (Manifest, error) {
	m := Manifest{Size: size, Chunks: make([]Hash, len(chunks))}
	var err error
	for i, b := range chunks {
		if m.Chunks[i], err = HashFrom(b); err != nil {
			return Manifest{}, fmt.Errorf("manifest: chunk %d: %w", i, err)
		}
	}
	if m.Root, err = HashFrom(root); err != nil {
		return Manifest{}, fmt.Errorf("manifest: root: %w", err)
	}
	return m, m.Verify()
}

// BuildManifest reads size bytes from r and returns their manifest.
func BuildManifest(r io.ReaderAt, size int64) (Manifest, error) {
	spans := Split(size, ChunkSize)
	chunks := make([]Hash, len(spans))
	buf := make([]byte, min(size, ChunkSize))
	for i, s := range spans {
		if n, err := r.ReadAt(buf[:s.Len], s.Off); n < s.Len {
			return Manifest{}, fmt.Errorf("build manifest: %w", noEOF(err))
		}
		chunks[i] = HashOf(buf[:s.Len])
	}
	return NewManifest(size, chunks), nil
}

func (m *Manifest) root() Hash {
	h := sha256.New()
	h.Write([]byte("lockstep manifest 1\n"))
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(m.Size)))
	for i := range m.Chunks {
		h.Write(m.Chunks[i][:])
	}
	return Hash(h.Sum(nil))
}

// Verify returns [ErrCorrupt] unless the number of chunks fits the size and the root is the hash of both.
func (m *Manifest) Verify() error {
	switch {
	case m.Size < 0:
		return fmt.Errorf("verify manifest: %w", corrupt("size %d", m.Size))
	case chunkCount(m.Size, ChunkSize) != int64(len(m.Chunks)):
		return fmt.Errorf("verify manifest: %w", corrupt("%d chunks do not make %d bytes", len(m.Chunks), m.Size))
	case m.root() != m.Root:
		return fmt.Errorf("verify manifest: %w", corrupt("root is not %s", m.Root))
	}
	return nil
}

// noEOF turns an end of input inside the input into the error for it.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
