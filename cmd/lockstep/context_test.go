package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"lockstep/internal/contexts"
)

func TestContexts(t *testing.T) {
	noEnvironment(t)
	command(t, "context", "list").want(t, 0, nil, []string{"There are no contexts yet"})
	command(t, "context", "create", "lab", "--addr", "a,b:1").want(t, 0, nil, []string{"context lab is there"})
	command(t, "context", "create", "home", "--addr", "h").want(t, 0, nil, nil)
	command(t, "context", "list").want(t, 0, []string{"*         lab", "a:7070,b:1", "home"}, nil)
	command(t, "context", "use", "home").want(t, 0, nil, []string{"the current context is home"})
	var views []contextView
	if r := command(t, "context", "list", "-o", "json"); json.Unmarshal([]byte(r.out), &views) != nil || len(views) != 2 || !views[0].Current || views[1].Current {
		t.Errorf("listed %s", r.out)
	}
	command(t, "context", "delete", "home").want(t, 0, nil, []string{"context home is gone"})
	command(t, "context", "create", "there", "--addr", "h", "-o", "json").want(t, 0, []string{`"name": "there"`, `"current": true`, `"token": false`}, nil)
	command(t, "context", "use", "lab", "-o", "name").wantOut(t, "lab\n")
	command(t, "context", "delete", "there", "-o", "yaml").want(t, 0, []string{"name: there\n", "current: false\n"}, nil)
	command(t, "context", "list", "-o", "name").wantOut(t, "lab\n")

	command(t, "context", "use", "lap").want(t, codeNotFound, nil, []string{`there is no context "lap"; did you mean "lab"?`})
	command(t, "context", "delete", "lap").want(t, codeNotFound, nil, []string{`there is no context "lap"`})
	command(t, "context", "create", "lab", "--addr", "c").want(t, codeUsage, nil, []string{`create context "lab": there is one of this name already`})
	command(t, "context", "create", "x").want(t, codeUsage, nil, []string{"--addr is missing"})
	command(t, "context", "create", "x", "--addr", "http://c").want(t, codeUsage, nil, []string{"want host:port"})
	command(t, "job", "list", "--context", "lap").want(t, codeNotFound, nil, []string{`there is no context "lap"`})
}

// TestContextSecretsAreNotPrinted: a token is in no format of the list.
func TestContextSecretsAreNotPrinted(t *testing.T) {
	noEnvironment(t)
	f := &contexts.File{Contexts: []contexts.Context{{Name: "lab", Addresses: []string{"a:1"}, Token: "hush"}}}
	if err := f.Save(os.Getenv(contexts.Environment)); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"wide", "json", "yaml", "name"} {
		if r := command(t, "context", "list", "-o", format); r.code != 0 || strings.Contains(r.out, "hush") || !strings.Contains(r.out, "lab") {
			t.Errorf("-o %s: %d %s", format, r.code, r.out)
		}
	}
}

// TestTargetPrecedence: what is said in more particular a way goes before: --addr, --context, LOCKSTEP_ADDR,
// LOCKSTEP_CONTEXT, the current context, the default.
func TestTargetPrecedence(t *testing.T) {
	for _, c := range []struct {
		flags, addr, context, current string
		want                          int
	}{
		{"--addr 127.0.0.1:1 --context two", "127.0.0.1:3", "four", "five", 1},
		{"--context two", "127.0.0.1:3", "four", "five", 2},
		{"", "127.0.0.1:3", "four", "five", 3},
		{"", "", "four", "five", 4},
		{"", "", "", "five", 5},
		{"", "", "", "", 7070},
	} {
		t.Run(fmt.Sprint(c.want), func(t *testing.T) {
			noEnvironment(t)
			f := &contexts.File{Current: c.current}
			for i, name := range []string{"two", "four", "five"} {
				if err := f.Add(contexts.Context{Name: name, Addresses: []string{fmt.Sprintf("127.0.0.1:%d", []int{2, 4, 5}[i])}}); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Save(os.Getenv(contexts.Environment)); err != nil {
				t.Fatal(err)
			}
			t.Setenv("LOCKSTEP_ADDR", c.addr)
			t.Setenv("LOCKSTEP_CONTEXT", c.context)
			a := newApp(strings.NewReader(""), &buffer{}, &buffer{})
			cmd, rest, err := a.root().Find(append([]string{"job", "list"}, strings.Fields(c.flags)...))
			if err != nil || cmd.ParseFlags(rest) != nil || a.environment(cmd) != nil {
				t.Fatal(err)
			}
			to, err := a.target()
			if err != nil || len(to.Addresses) != 1 || !strings.HasSuffix(to.Addresses[0], fmt.Sprint(":", c.want)) {
				t.Errorf("speaks to %q, %v; want port %d", to.Addresses, err, c.want)
			}
		})
	}
}
