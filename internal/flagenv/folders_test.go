package flagenv

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/spf13/pflag"
)

func TestFolders(t *testing.T) {
	here, err := filepath.Abs("b")
	if err != nil {
		t.Fatal(err)
	}
	var f Folders
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.Var(&f, "data-root", "")
	if err := flags.Parse([]string{"--data-root", "/a/../a, b", "--data-root", "/c"}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"/a", here, "/c"}; !slices.Equal(f, want) {
		t.Errorf("folders %q, want %q", f, want)
	}
	for _, text := range []string{"", " ", "/a,", ",/a"} {
		if new(Folders).Set(text) == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
