package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// ErrNotThere marks bytes that a file does not hold.
var ErrNotThere = errors.New("not there")

// FlipBit flips a bit of data wherever it stands in a file: a disk that lies. A process that has the file open, or
// mapped, sees it too.
func FlipBit(file string, data []byte) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("flip a bit: %w", err)
	}
	defer f.Close()
	all, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("flip a bit: %w", err)
	}
	flipped := 0
	for at := 0; ; flipped++ {
		i := bytes.Index(all[at:], data)
		if i < 0 || len(data) == 0 {
			break
		}
		at += i + 1
		middle := int64(at - 1 + len(data)/2)
		if _, err := f.WriteAt([]byte{all[middle] ^ 1}, middle); err != nil {
			return fmt.Errorf("flip a bit: %w", err)
		}
	}
	if flipped == 0 {
		return fmt.Errorf("flip a bit: %w: %d bytes, in %s", ErrNotThere, len(data), file)
	}
	return nil
}
