package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrChecksum marks a file that is not the one that its checksum is of.
var ErrChecksum = errors.New("checksum does not match")

// checked is a tree some of whose files are known by their SHA-256.
type checked struct {
	Tree
	sums map[string]string
}

// Checked compares files with checksums, "sha256:" and 64 hexadecimal digits, before anything of them is given to a
// reader.
func Checked(t Tree, sums map[string]string) Tree {
	if len(sums) == 0 {
		return t
	}
	return checked{t, sums}
}

func (t checked) Open(ctx context.Context, name string) (File, error) {
	f, err := t.Tree.Open(ctx, name)
	want, ok := t.sums[name]
	if err != nil || !ok {
		return f, err
	}
	h := sha256.New()
	_, err = io.Copy(h, io.NewSectionReader(f, 0, f.Size()))
	if got := hex.EncodeToString(h.Sum(nil)); err == nil && got != strings.ToLower(strings.TrimPrefix(want, "sha256:")) {
		err = fmt.Errorf("%s: %w: it is sha256:%s, want %s", f.Name(), ErrChecksum, got, want)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
