package spec

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the expected errors under testdata")

// A bad-specification file holds cases one after another:
//
//	=== name
//	the specification
//	--- errors
//	the text of what Parse returns
type badCase struct{ name, text, want string }

func readBad(t *testing.T, path string) []badCase {
	t.Helper()
	var cases []badCase
	for _, part := range strings.Split("\n"+string(readFile(t, path)), "\n=== ")[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		text, want, ok := strings.Cut(rest, "\n--- errors\n")
		if !ok {
			text, want = rest, ""
		}
		cases = append(cases, badCase{name, text, strings.TrimSuffix(want, "\n")})
	}
	if len(cases) == 0 {
		t.Fatalf("%s has no case", path)
	}
	return cases
}

func TestBadSpecifications(t *testing.T) {
	paths, err := filepath.Glob("testdata/bad/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no cases:", err)
	}
	for _, path := range paths {
		var out strings.Builder
		for _, c := range readBad(t, path) {
			t.Run(filepath.Base(path)+"/"+c.name, func(t *testing.T) {
				_, err := Parse(c.name+".yaml", []byte(c.text))
				if err == nil {
					t.Fatal("accepted")
				}
				if diff := cmp.Diff(c.want, err.Error()); diff != "" && !*update {
					t.Errorf("errors differ (-want +got):\n%s", diff)
				}
				out.WriteString("=== " + c.name + "\n" + c.text + "\n--- errors\n" + err.Error() + "\n")
			})
		}
		if *update && !t.Failed() {
			if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
