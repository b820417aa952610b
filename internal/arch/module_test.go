package arch

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const modulePath = "lockstep"

// source is the text of this module: what is under version control, as near as its place tells. All files are read,
// whatever their build constraints, and by this process, so that the test cache sees when one changes.
type source struct {
	fset  *token.FileSet
	files map[string][]byte    // by path from the module's root, with slashes
	goAST map[string]*ast.File // of the Go files outside testdata
}

// pkg is one folder of Go files.
type pkg struct {
	src          *source
	dir          string
	files, tests []string // paths
}

// place is something found in the source.
type place struct {
	at   token.Position
	path string // of an import
	name string // of a function
}

var load = sync.OnceValues(func() (*source, error) {
	root := filepath.Join("..", "..")
	s := &source{fset: token.NewFileSet(), files: map[string][]byte{}, goAST: map[string]*ast.File{}}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if hidden := name != "." && strings.HasPrefix(e.Name(), ".") && e.Name() != ".github"; hidden || name == "bin" || name == "dist" {
				return fs.SkipDir
			}
			return nil
		}
		if !e.Type().IsRegular() || name == ".git" {
			return nil
		}
		b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		s.files[name] = b
		if path.Ext(name) != ".go" || strings.Contains("/"+name, "/testdata/") {
			return nil
		}
		s.goAST[name], err = parser.ParseFile(s.fset, name, b, parser.ParseComments|parser.SkipObjectResolution)
		return err
	})
	return s, err
})

// module reads the module once.
func module(t *testing.T) *source {
	t.Helper()
	s, err := load()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(s.files["go.mod"], []byte("module "+modulePath+"\n")) {
		t.Fatalf("the folder above is not the module %s", modulePath)
	}
	return s
}

func (s *source) packages() []*pkg {
	byDir := map[string]*pkg{}
	for name := range s.goAST {
		dir := path.Dir(name)
		if byDir[dir] == nil {
			byDir[dir] = &pkg{src: s, dir: dir}
		}
		if p := byDir[dir]; strings.HasSuffix(name, "_test.go") {
			p.tests = append(p.tests, name)
		} else {
			p.files = append(p.files, name)
		}
	}
	all := make([]*pkg, 0, len(byDir))
	for _, dir := range slices.Sorted(maps.Keys(byDir)) {
		all = append(all, byDir[dir])
	}
	return all
}

// imports lists the imports of the package's code, not of its tests.
func (p *pkg) imports() (found []place) {
	for _, name := range p.files {
		for _, imp := range p.src.goAST[name].Imports {
			to, _ := strconv.Unquote(imp.Path.Value) // the parser has checked it
			found = append(found, place{at: p.src.fset.Position(imp.Pos()), path: to})
		}
	}
	return found
}

// calls finds the uses of functions of a package of the standard library in the package's code.
func (p *pkg) calls(from string, names []string) (found []place) {
	for _, name := range p.files {
		ast.Inspect(p.src.goAST[name], func(n ast.Node) bool {
			if e, ok := n.(*ast.SelectorExpr); ok && isIdent(e.X, from) && slices.Contains(names, e.Sel.Name) {
				found = append(found, place{at: p.src.fset.Position(e.Pos()), name: e.Sel.Name})
			}
			return true
		})
	}
	return found
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}
