package arch

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPackagesAreDocumented(t *testing.T) {
	for _, p := range module(t).packages() {
		documented := len(p.files) == 0
		for _, name := range p.files {
			if f := p.src.goAST[name]; f.Doc != nil && strings.TrimSpace(f.Doc.Text()) != "" || ast.IsGenerated(f) {
				documented = true
			}
		}
		if !documented {
			t.Errorf("package %s has no doc comment", p.dir)
		}
	}
}

const mostLines = 500

func TestFilesAreShort(t *testing.T) {
	src := module(t)
	for _, name := range slices.Sorted(maps.Keys(src.goAST)) {
		if n := bytes.Count(src.files[name], []byte("\n")); n > mostLines && !ast.IsGenerated(src.goAST[name]) {
			t.Errorf("%s has %d lines, more than %d", name, n, mostLines)
		}
	}
}

// Tests wait for conditions. Inside a synctest bubble time is not real, and sleeping is a way to pass it.
func TestTestsDoNotSleep(t *testing.T) {
	for _, p := range module(t).packages() {
		for _, name := range p.tests {
			for _, at := range sleeps(p.src.fset, p.src.goAST[name]) {
				t.Errorf("%s: time.Sleep outside synctest.Test", at)
			}
		}
	}
}

func sleeps(fset *token.FileSet, f *ast.File) (found []token.Position) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch e := n.(type) {
		case *ast.CallExpr:
			if s, ok := e.Fun.(*ast.SelectorExpr); ok && isIdent(s.X, "synctest") && s.Sel.Name == "Test" {
				return false
			}
		case *ast.SelectorExpr:
			if isIdent(e.X, "time") && e.Sel.Name == "Sleep" {
				found = append(found, fset.Position(e.Pos()))
			}
		}
		return true
	})
	return found
}

func TestSleeps(t *testing.T) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "x_test.go", `package x
func TestA(t *testing.T) { synctest.Test(t, func(t *testing.T) { time.Sleep(1) }) }
func TestB(t *testing.T) { go func() { time.Sleep(1) }() }
var sleep = time.Sleep
`, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var lines []int
	for _, at := range sleeps(fset, f) {
		lines = append(lines, at.Line)
	}
	if !slices.Equal(lines, []int{3, 4}) {
		t.Errorf("sleeps found in lines %v, want 3 and 4", lines)
	}
}

// unwanted is what no text of the repository has in it: notes to oneself, and folders of one machine. It is put
// together so that it does not find itself.
var unwanted = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b|(?:^|[^\w.*}/-])/(?:wo` + `rk|ro` + `ot)(?:/|\b)`)

func TestTextsHaveNothingUnwanted(t *testing.T) {
	src := module(t)
	for _, name := range slices.Sorted(maps.Keys(src.files)) {
		text := src.files[name]
		if path.Base(name) == "go.sum" || !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
			continue
		}
		for i, line := range bytes.Split(text, []byte("\n")) {
			if m := unwanted.Find(line); m != nil {
				t.Errorf("%s:%d: %q", name, i+1, bytes.TrimSpace(m))
			}
		}
	}
}

func TestUnwanted(t *testing.T) {
	for line, want := range map[string]bool{
		"// TO" + "DO: later": true, "x FIX" + "ME": true, `"/wo` + `rk/main"`: true, "see /ro" + "ot/x": true, "/wo" + "rk": true, "(/ro" + "ot)": true,
		"TO" + "DOS": false, "mktemp XX" + "XXXX": false, "parallelism/workers": false, "/workers": false, "lockstep/root": false, "../work": false, "a/work/b": false,
	} {
		if got := unwanted.MatchString(line); got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}
