package flagenv

import (
	"errors"
	"path/filepath"
	"strings"
)

// Folders is a flag for folders, separated by commas or given several times. They become absolute paths. An empty one is
// an error: it is a variable that somebody forgot to set, not the working directory.
type Folders []string

// Set adds folders.
func (f *Folders) Set(text string) error {
	for _, dir := range strings.Split(text, ",") {
		if dir = strings.TrimSpace(dir); dir == "" {
			return errors.New("want folders, separated by commas; one is empty")
		}
		abs, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		*f = append(*f, abs)
	}
	return nil
}

// String is the folders as Set takes them.
func (f *Folders) String() string { return strings.Join(*f, ",") }

// Type names the value in help texts.
func (f *Folders) Type() string { return "DIR" }
