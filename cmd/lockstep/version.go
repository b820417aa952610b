package main

import (
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"lockstep/internal/console"
)

// build is what this program was made from.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"` // empty where it was built without version control
	Time     string `json:"time"`   // of the commit
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func readBuild() build {
	b := build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (a *app) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print which lockstep this is",
		Example: `  lockstep version
  lockstep version -o json`,
		Args: wants(),
		RunE: func(*cobra.Command, []string) error {
			b := readBuild()
			return a.print(printed{value: b, names: []string{b.Version}, table: func(w io.Writer, _ bool) error {
				var f console.Facts
				f.Add("version", b.Version)
				f.Add("commit", b.Commit)
				f.Add("time", b.Time)
				f.Add("go", b.Go)
				f.Add("platform", b.Platform)
				return f.Write(w)
			}})
		},
	}
	return a.data(cmd)
}
