package contexts

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "config.yaml")
	f, err := Load(path)
	if err != nil || len(f.Contexts) != 0 {
		t.Fatalf("a file that is not there: %+v, %v", f, err)
	}
	lab := Context{Name: "lab", Addresses: []string{"a:7070", "[::1]:7070"}, CA: "/c", Cert: "/d", Key: "/k", Token: "secret"}
	for _, c := range []Context{lab, {Name: "home", Addresses: []string{"127.0.0.1:7070"}}} {
		if err := f.Add(c); err != nil {
			t.Fatal(err)
		}
	}
	f.Current = "lab"
	if err := f.Save(path); err != nil {
		t.Fatal(err)
	}
	back, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f, back); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"home", "lab"}, back.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if s, err := os.Stat(path); err != nil || s.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v: want 0600, it holds a token", s.Mode(), err)
	}
	if err := back.Delete("lab"); err != nil || back.Current != "" || back.Find("lab") != nil {
		t.Errorf("after deletion of the current context: %+v, %v", back, err)
	}
	if err := back.Delete("lab"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted again: %v", err)
	}
}

func TestAddRefuses(t *testing.T) {
	f := &File{Contexts: []Context{{Name: "a", Addresses: []string{"h:1"}}}}
	for _, c := range []Context{{Name: "", Addresses: []string{"h:1"}}, {Name: "b"}, {Name: "../b", Addresses: []string{"h:1"}}, {Name: "a", Addresses: []string{"h:2"}}} {
		if err := f.Add(c); err == nil || len(f.Contexts) != 1 {
			t.Errorf("added %+v: %v", c, err)
		}
	}
}

// TestDecodeRefuses: what is wrong in a file is told, with its line where it has one.
func TestDecodeRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"current: lab\n": `the current context "lab": there is no such context`,
		"contexts:\n  - {name: a, address: [h:1]}\n":                             "line 2: field address not found",
		"contexts: [{name: a, addresses: [h:1]}, {name: a, addresses: [h:1]}]\n": "there is one of this name already",
		"contexts: [{name: a}]\n":                                                "it has no addresses",
		"{{\n":                                                                   "line 1",
	} {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v, want %q and the file's name", text, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("current: a\ncontexts: [{name: a, addresses: [h:1], token: t}]\n"))
	f.Add([]byte("contexts: 3"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := decode(text)
		if err != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := file.Save(path); err != nil {
			t.Fatal(err)
		}
		back, err := Load(path)
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		if diff := cmp.Diff(file.Names(), back.Names()); diff != "" || file.Current != back.Current {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
