package source

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Roots are the folders of this machine that local sources may lie in, as absolute paths; none: all of the machine.
type Roots []string

// Validate reports a folder that does not exist: nothing could ever be read from it.
func (r Roots) Validate() error {
	for _, dir := range r {
		if info, err := os.Stat(dir); err != nil {
			return fmt.Errorf("data root: %w", err)
		} else if !info.IsDir() {
			return fmt.Errorf("data root: %s is not a folder", dir)
		}
	}
	return nil
}

// Check refuses a source whose path, as it is written, lies outside. It looks at no file: the path may be another
// machine's. Whoever opens the source follows its links and looks again.
func (r Roots) Check(source string) error {
	path, local, err := localPath(source)
	if err != nil || !local || len(r) == 0 {
		return err
	}
	return r.checkPath(path)
}

func (r Roots) checkPath(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("resolve path %q: %w", path, err)
	}
	for _, dir := range r {
		if inside(dir, abs) {
			return nil
		}
	}
	return fmt.Errorf("%s %w", path, r.outside())
}

func (r Roots) outside() error {
	return fmt.Errorf("lies outside of what jobs may read (--data-root): %s", strings.Join(r, ", "))
}

func inside(dir, path string) bool {
	rest, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rest)
}

// find follows the links of a path, and returns the root that it then lies in, and where in it. A path that lies
// outside as it is written is refused before anything is looked at, so that nobody learns what else there is.
func (r Roots) find(path string) (dir, rest string, err error) {
	if err := r.checkPath(path); err != nil {
		return "", "", err
	}
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return "", "", err
	}
	for _, dir := range r {
		if dir, err = filepath.EvalSymlinks(dir); err != nil {
			return "", "", fmt.Errorf("data root: %w", err)
		}
		if inside(dir, real) {
			rest, err := filepath.Rel(dir, real)
			return dir, rest, err
		}
	}
	return "", "", fmt.Errorf("%s leads to %s, which %w", path, real, r.outside())
}

// openFile opens a file. A link that takes the path's place after it was looked at is not followed out of the root.
func (r Roots) openFile(path string) (*os.File, error) {
	return opened(r, path, os.Open, (*os.Root).Open)
}

// openFolder is openFile for folders.
func (r Roots) openFolder(path string) (*os.Root, error) {
	return opened(r, path, os.OpenRoot, (*os.Root).OpenRoot)
}

// opened opens a path in the root that it lies in, or anywhere if there are no roots.
func opened[T any](r Roots, path string, anywhere func(string) (T, error), in func(*os.Root, string) (T, error)) (none T, err error) {
	if len(r) == 0 {
		return anywhere(path)
	}
	dir, rest, err := r.find(path)
	if err != nil {
		return none, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return none, err
	}
	defer root.Close()
	return in(root, rest)
}
