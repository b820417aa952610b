package spec

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed templates/*.yaml
var templates embed.FS

// Templates lists the names that Template knows, sorted.
func Templates() []string {
	files, err := fs.Glob(templates, "templates/*.yaml") // sorted, as ReadDir is
	if err != nil {
		panic(err) // the pattern is right
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(path.Base(f), ".yaml"))
	}
	return names
}

// Template returns a commented specification to start from.
func Template(name string) ([]byte, error) {
	text, err := templates.ReadFile("templates/" + name + ".yaml")
	if err != nil {
		hint := didYouMean(name, Templates())
		return nil, fmt.Errorf("find template: there is no %q: %s", name, or(hint, "known: "+strings.Join(Templates(), ", ")))
	}
	return text, nil
}
