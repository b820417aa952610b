package source

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func link(t *testing.T, to, at string) {
	t.Helper()
	if err := os.Symlink(to, at); err != nil {
		t.Fatal(err)
	}
}

// realTemp is a temporary folder by its path without links.
func realTemp(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRoots: of a machine's files only those below the roots are read, whatever way leads to them.
func TestRoots(t *testing.T) {
	base := realTemp(t)
	write(t, base, map[string]string{"data/set/a.csv": "inside", "secret/a.csv": "secret", "database/a.csv": "secret", "more/b.csv": "inside"})
	data, more, secret := filepath.Join(base, "data"), filepath.Join(base, "more"), filepath.Join(base, "secret")
	link(t, secret, filepath.Join(data, "out"))
	link(t, filepath.Join(secret, "a.csv"), filepath.Join(data, "out.csv"))
	link(t, filepath.Join(data, "set"), filepath.Join(data, "in")) // an absolute link, but to the inside
	link(t, more, filepath.Join(data, "over"))                     // from one root into the other
	link(t, data, filepath.Join(base, "alias"))
	o := Options{Roots: Roots{data, more}}
	for source, want := range map[string]string{
		data: "", "file://" + data + "/set": "", data + "/in": "", data + "/over": "", more: "", data + "/set/../set": "",
		base: "lies outside", secret: "lies outside", "file://" + secret: "lies outside", base + "/database": "lies outside",
		data + "/../secret": "lies outside", "file://" + data + "/../secret": "lies outside", "file://" + data + "/%2e%2e/secret": "lies outside",
		data + "/out": "leads to " + secret, "/": "lies outside", ".": "lies outside", "/etc": "lies outside", base + "/alias": "lies outside",
		data + "/out/../secret": "leads to " + secret, base + "/none": "lies outside", data + "/none": "no such file",
	} {
		tree, err := o.Open(t.Context(), source)
		if err != nil {
			t.Fatal(err)
		}
		_, err = tree.List(t.Context(), "set")
		if want == "" && err != nil && !os.IsNotExist(err) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", source, err, want)
		}
		if strings.HasPrefix(want, "l") && !strings.Contains(err.Error(), data+", "+more) {
			t.Errorf("%s: %q does not name the roots", source, err)
		}
	}
	for source, want := range map[string]string{data + "/set/a.csv": "", data + "/in/a.csv": "", data + "/over/b.csv": "",
		data + "/out.csv": "leads to", data + "/out/a.csv": "leads to", secret + "/a.csv": "lies outside"} {
		tree, err := o.Open(t.Context(), source)
		if err != nil {
			t.Fatal(err)
		}
		f, err := tree.Open(t.Context(), "")
		if err == nil {
			defer f.Close()
			if all, _ := io.ReadAll(f); string(all) != "inside" {
				t.Errorf("%s: read %q", source, all)
			}
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", source, err, want)
		}
	}
}

// TestRootsOfFolders: what is listed and opened in a folder inside a root does not lead out of it either.
func TestRootsOfFolders(t *testing.T) {
	base := realTemp(t)
	write(t, base, map[string]string{"data/cats/1.png": "1", "secret/2.png": "2"})
	data := filepath.Join(base, "data")
	tree, err := (&Options{Roots: Roots{data}}).Open(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	if names, err := tree.List(t.Context(), ""); err != nil || !slices.Equal(names, []string{"cats/1.png"}) {
		t.Errorf("%q, %v", names, err)
	}
	link(t, filepath.Join(base, "secret"), filepath.Join(data, "dogs"))
	link(t, filepath.Join(base, "secret", "2.png"), filepath.Join(data, "cats", "2.png"))
	for _, name := range []string{"dogs/2.png", "cats/2.png", "../secret/2.png"} {
		if f, err := tree.Open(t.Context(), name); err == nil {
			f.Close()
			t.Errorf("%s was opened", name)
		}
	}
	if names, err := tree.List(t.Context(), ""); err == nil {
		t.Errorf("listed %q", names)
	}
}

// TestRootsCheck: what can be told of a path without its machine; a root may be a link there.
func TestRootsCheck(t *testing.T) {
	for source, ok := range map[string]bool{"/data": true, "/data/x": true, "file:///data/x": true, "/data/../etc": false, "file:///data/%2e%2e/etc": false,
		"/database": false, "relative": false, "file:///etc/passwd": false, "http://example.org/etc": true, "s3://b/etc": true, "dataset://x": true} {
		if err := (Roots{"/data"}).Check(source); (err == nil) != ok {
			t.Errorf("%s: %v", source, err)
		}
		if err := (Roots)(nil).Check(source); err != nil {
			t.Errorf("without roots %s: %v", source, err)
		}
	}
	base := realTemp(t)
	write(t, base, map[string]string{"real/a.csv": "inside"})
	link(t, filepath.Join(base, "real"), filepath.Join(base, "root"))
	tree, err := (&Options{Roots: Roots{filepath.Join(base, "root")}}).Open(t.Context(), filepath.Join(base, "root"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := tree.Open(t.Context(), "a.csv")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if (Roots{filepath.Join(base, "none")}).Validate() == nil || (Roots{filepath.Join(base, "real", "a.csv")}).Validate() == nil {
		t.Error("a root that is no folder was taken")
	}
}
