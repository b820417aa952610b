// Package flagenv lets every command-line flag be an environment variable too: --node-id is LOCKSTEP_NODE_ID. What is
// given on the command line goes before the environment, and that before the default.
package flagenv

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// Name is the environment variable of a flag.
func Name(flag string) string {
	return "LOCKSTEP_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Apply sets the flags that were not given on the command line from the environment. An empty variable counts as
// not set.
func Apply(flags *pflag.FlagSet) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		v := os.Getenv(Name(f.Name))
		if f.Changed || v == "" {
			return
		}
		if err := flags.Set(f.Name, v); err != nil {
			errs = append(errs, fmt.Errorf("%s=%q: %w", Name(f.Name), v, err))
		}
	})
	return errors.Join(errs...)
}

// Logger makes the logger that --log-format and --log-level ask for, on standard error.
func Logger(format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q: want debug, info, warn or error", level)
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, opts)), nil
	}
	return nil, fmt.Errorf("--log-format %q: want text or json", format)
}
