package artifact

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"lockstep/internal/export"
)

// Written describes a model that was written.
type Written struct {
	Digest string // "sha256:" and the hexadecimal SHA-256 of what was written
	Bytes  int64
}

// Write writes tensors to w as safetensors, unless they do not have the digest: then it writes nothing and returns
// ErrDigest. An empty digest is not compared.
func Write(w io.Writer, tensors []export.Tensor, digest string) (Written, error) {
	if digest != "" {
		if err := Check(tensors, digest); err != nil {
			return Written{}, err
		}
	}
	return write(w, func(w io.Writer) error { return export.WriteSafetensors(w, tensors) })
}

// Check returns ErrDigest unless tensors have the digest.
func Check(tensors []export.Tensor, digest string) error {
	got, err := export.Digest(tensors)
	if err == nil && got != digest {
		err = differs(got, digest)
	}
	return err
}

// WriteFile writes tensors to the file at path as safetensors. The file appears whole, or not at all, or as it was
// before; it appears only if what was written has the digest, otherwise the error is ErrDigest. An empty digest is not
// compared.
func WriteFile(path string, tensors []export.Tensor, digest string) (Written, error) {
	return Create(path, digest, func(w io.Writer) error { return export.WriteSafetensors(w, tensors) })
}

// Create makes the file at path of what fill writes. The file appears whole, or not at all, or as it was before; it
// appears only if it has the digest, otherwise the error is ErrDigest. An empty digest is not compared.
func Create(path, digest string, fill func(w io.Writer) error) (_ Written, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return Written{}, fmt.Errorf("write model: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close() // closed before, or the other error tells more
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	done, err := write(f, fill)
	if err != nil {
		return Written{}, fmt.Errorf("write model: %w", err)
	}
	if digest != "" && done.Digest != digest {
		return Written{}, differs(done.Digest, digest)
	}
	if err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return Written{}, fmt.Errorf("write model: %w", err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return Written{}, fmt.Errorf("write model: %w", err)
	}
	return done, nil
}

// Stream writes what fill writes to w, and digests it.
func Stream(w io.Writer, fill func(w io.Writer) error) (Written, error) { return write(w, fill) }

// write writes and digests.
func write(w io.Writer, fill func(w io.Writer) error) (Written, error) {
	sum := sha256.New()
	count := &counter{w: io.MultiWriter(w, sum)}
	out := bufio.NewWriterSize(count, 1<<20)
	if err := fill(out); err != nil {
		return Written{}, err
	}
	if err := out.Flush(); err != nil {
		return Written{}, err
	}
	return Written{Digest: "sha256:" + hex.EncodeToString(sum.Sum(nil)), Bytes: count.n}, nil
}

func differs(got, want string) error {
	return fmt.Errorf("%w: it is %s, want %s", ErrDigest, got, want)
}

// counter counts the bytes on their way.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
