// Package contexts is the file in which a user keeps the clusters that he speaks to, one context each, and which of them
// is the current one. It knows nothing of connections.
//
// The file is lockstep/config.yaml in the user's configuration directory (os.UserConfigDir), or what LOCKSTEP_CONFIG
// names. It may hold secrets, so it is readable by its owner alone:
//
//	current: lab
//	contexts:
//	  - name: lab
//	    addresses: [10.0.0.1:7070, 10.0.0.2:7070, 10.0.0.3:7070]   # gRPC addresses of coordinators, host:port
//	    ca: /home/ada/lab/ca.pem         # optional, as are the next three: certificates (PEM) that vouch for coordinators
//	    cert: /home/ada/lab/ada.pem      # the user's own certificate (PEM), and its
//	    key: /home/ada/lab/ada-key.pem   # private key (PEM)
//	    token: lst_...                   # bearer token
//
// Paths are absolute. A key that is not listed here is an error, so that a misspelt one is not overlooked.
package contexts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Context is one cluster, and who its user is there.
type Context struct {
	Name      string   `yaml:"name" json:"name"`
	Addresses []string `yaml:"addresses,flow" json:"addresses"`      // of coordinators, host:port
	CA        string   `yaml:"ca,omitempty" json:"ca,omitempty"`     // file of certificates, PEM; "": none
	Cert      string   `yaml:"cert,omitempty" json:"cert,omitempty"` // file of the user's certificate, PEM; "": none
	Key       string   `yaml:"key,omitempty" json:"key,omitempty"`   // file of its private key, PEM; "": none
	Token     string   `yaml:"token,omitempty" json:"-"`             // bearer token, never printed; "": none
}

// File is what the file says. Its zero value is that of a file that is not there.
type File struct {
	Current  string    `yaml:"current,omitempty"` // a name of Contexts, or ""
	Contexts []Context `yaml:"contexts"`          // ordered by name, which no two share
}

// Environment names the file in the place of the usual one.
const Environment = "LOCKSTEP_CONFIG"

// Path is where the file is, whether it exists or not.
func Path() (string, error) {
	if path := os.Getenv(Environment); path != "" {
		return path, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find configuration directory, in the place of which %s may name a file: %w", Environment, err)
	}
	return filepath.Join(dir, "lockstep", "config.yaml"), nil
}

const maxSize = 1 << 20 // bytes

// Load reads a file. One that is not there has no contexts.
func Load(path string) (*File, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &File{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read contexts: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read contexts: %w", err)
	}
	if len(text) > maxSize {
		return nil, fmt.Errorf("read contexts: %s: larger than %d bytes", path, maxSize)
	}
	out, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("read contexts: %s: %w", path, err)
	}
	return out, nil
}

func decode(text []byte) (*File, error) {
	f := &File{}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(f); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	given := f.Contexts
	f.Contexts = nil
	for _, c := range given {
		if err := f.Add(c); err != nil {
			return nil, err
		}
	}
	if f.Current != "" && f.Find(f.Current) == nil {
		return nil, fmt.Errorf("the current context %q: %w", f.Current, ErrNotFound)
	}
	return f, nil
}

var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// ErrNotFound is of a context that is not there.
var ErrNotFound = errors.New("there is no such context")

// Find returns the context of that name; nil if there is none.
func (f *File) Find(name string) *Context {
	for i := range f.Contexts {
		if f.Contexts[i].Name == name {
			return &f.Contexts[i]
		}
	}
	return nil
}

// Names lists the contexts.
func (f *File) Names() []string {
	var out []string
	for _, c := range f.Contexts {
		out = append(out, c.Name)
	}
	return out
}

// Add takes a context of a new name.
func (f *File) Add(c Context) error {
	switch {
	case !validName.MatchString(c.Name):
		return fmt.Errorf("context %q: want a name of letters, digits, dots, dashes and underscores", c.Name)
	case len(c.Addresses) == 0:
		return fmt.Errorf("context %q: it has no addresses", c.Name)
	case f.Find(c.Name) != nil:
		return fmt.Errorf("context %q: there is one of this name already", c.Name)
	}
	at, _ := slices.BinarySearch(f.Names(), c.Name)
	f.Contexts = slices.Insert(f.Contexts, at, c)
	return nil
}

// Delete takes a context away. If it was the current one, none is afterwards.
func (f *File) Delete(name string) error {
	if f.Find(name) == nil {
		return fmt.Errorf("context %q: %w", name, ErrNotFound)
	}
	f.Contexts = slices.DeleteFunc(f.Contexts, func(c Context) bool { return c.Name == name })
	if f.Current == name {
		f.Current = ""
	}
	return nil
}
