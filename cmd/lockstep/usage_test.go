package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestBadUsage: exit code 2 before anything is done, with what was meant.
func TestBadUsage(t *testing.T) {
	noEnvironment(t)
	inFolder(t)
	write(t, "broken.yaml", strings.Replace(tinySpec, "units: 2", "unitz: 2", 1)+"  nonsense: 1\n")
	for name, c := range map[string]struct {
		args string
		want []string
	}{
		"unknown command":         {"jbo list", []string{`unknown command "lockstep jbo"; did you mean "job"?`, `See "lockstep --help"`}},
		"unknown command, flags":  {"jbo list --wide", []string{`unknown command "lockstep jbo"`}},
		"unknown sub-command":     {"job sbumit x", []string{`unknown command "lockstep job sbumit"; did you mean "submit"?`}},
		"sub-command, flags":      {"job sbumit x --detach", []string{`unknown command "lockstep job sbumit"; did you mean "submit"?`}},
		"short for a sub-command": {"job desc x", []string{`did you mean "describe"?`}},
		"like nothing":            {"frobnicate", []string{`unknown command "lockstep frobnicate"` + "\n"}},
		"unknown fault":           {"chaos kil --job tiny.yaml", []string{`unknown fault "kil"; did you mean "kill"?`}},
		"no fault":                {"chaos --job tiny.yaml", []string{"FAULT is missing"}},
		"chaos without a job":     {"chaos kill", []string{"--job is missing"}},
		"unmendable corruption":   {"chaos corrupt --job tiny.yaml --coordinators 1", []string{"no copy would be left to mend from"}},
		"unknown topic":           {"help jobb", []string{`did you mean "job"?`}},
		"unknown flag":            {"run tiny.yaml --worker 3", []string{`unknown flag: --worker; did you mean "--workers"?`, `See "lockstep run --help"`}},
		"unknown short flag":      {"job list -x", []string{"unknown shorthand flag: 'x' in -x", `See "lockstep job list --help"`}},
		"flag without value":      {"job list -o", []string{"flag needs an argument"}},
		"bad format":              {"job list -o xml", []string{"xml", "want one of table, wide, json, yaml, name"}},
		"bad number":              {"run tiny.yaml --workers many", []string{"many", "--workers"}},
		"no workers":              {"run tiny.yaml --workers 0", []string{"--workers 0: want at least 1"}},
		"no coordinators":         {"up --coordinators -1", []string{"--coordinators -1: want at least 1"}},
		"missing argument":        {"job status", []string{"JOB is missing"}},
		"missing file argument":   {"job validate", []string{"FILE is missing"}},
		"extra argument":          {"job status a b", []string{`unexpected argument "b"`}},
		"argument of none":        {"job list a", []string{`unexpected argument "a"`}},
		"no identity":             {"certs init worker", []string{`identity "worker": want a name`}},
		"empty host":              {"certs init worker/w=a,", []string{`"worker/w=a,": want hosts`}},
		"bad address":             {"job list --addr http://a:1", []string{`address "http://a:1": want host:port`}},
		"no address":              {"job list --addr ,", []string{"no coordinator's address is given"}},
		"unknown shell":           {"completion tcsh", []string{`unknown shell "tcsh": want one of bash, fish, powershell, zsh`}},
		"unknown template":        {"job init cmn", []string{`did you mean "cnn"?`}},
		"unknown model format":    {"model export x --format onix", []string{`--format "onix": want safetensors`}},
		"model to stdout":         {"run tiny.yaml --output -", []string{"write the model to a file"}},
		"no such file":            {"run nowhere.yaml", []string{"read specification: open nowhere.yaml: no such file"}},
		"no such file, validate":  {"job validate nowhere.yaml", []string{"open nowhere.yaml: no such file"}},
		"set without value":       {"run tiny.yaml --set a", []string{"--set a: want path=value"}},
		"set of nonsense":         {"run tiny.yaml --set a..b=1", []string{"set spec.a..b: the path has an empty part"}},
		"set of a wrong value":    {"run tiny.yaml --set training.epochs=0", []string{"epochs"}},
		"bad name":                {"run tiny.yaml --name Tiny!", []string{`"Tiny!"`, "metadata"}},
		"missing data":            {"run tiny.yaml --set dataset.train.file=tinny.csv", []string{"tiny.yaml:8:", "tinny.csv does not exist", "^", "did you mean", "tiny.csv"}},
		"two faults": {"run broken.yaml", []string{
			"broken.yaml:14:23: ", "      - {type: dense, unitz: 2}\n", "\n                      ^\n", `did you mean "units"?`,
			"broken.yaml:19:3: ", "  nonsense: 1\n  ^\n"}},
		"faults at submission": {"job submit broken.yaml", []string{"broken.yaml:14:23: ", "broken.yaml:19:3: "}},
		"faults in validation": {"job validate tiny.yaml broken.yaml", []string{"broken.yaml:14:23: "}},
	} {
		t.Run(name, func(t *testing.T) {
			before := files(t)
			r := command(t, strings.Fields(c.args)...)
			r.want(t, codeUsage, nil, c.want)
			if strings.Contains(c.args, "run ") && r.out != "" {
				t.Errorf("printed %q", r.out)
			}
			if after := files(t); len(after) != len(before) {
				t.Errorf("there were %v, now there are %v", before, after)
			}
		})
	}
}

// TestEnvironmentIsChecked: a bad value names its variable.
func TestEnvironmentIsChecked(t *testing.T) {
	noEnvironment(t)
	inFolder(t)
	t.Setenv("LOCKSTEP_WORKERS", "many")
	command(t, "run", "tiny.yaml").want(t, codeUsage, nil, []string{`LOCKSTEP_WORKERS="many"`})
	t.Setenv("LOCKSTEP_NAME", "Not a name!") // of a server's or of run's environment: no matter here
	command(t, "job", "validate", "tiny.yaml").want(t, 0, []string{"tiny.yaml is valid: 2 epochs, global batch of 4"}, nil)
	t.Setenv("LOCKSTEP_WORKERS", "")
	t.Setenv("LOCKSTEP_NAME", "")
	t.Setenv("LOCKSTEP_OUTPUT_FORMAT", "jsn")
	command(t, "version").want(t, codeUsage, nil, []string{"LOCKSTEP_OUTPUT_FORMAT"})
	command(t, "version", "-o", "name").want(t, 0, nil, nil)
}

// TestHelpTeaches: every command says what it does and shows an example of itself, every flag what it is for.
func TestHelpTeaches(t *testing.T) {
	root := newApp(nil, nil, nil).root()
	commands := 0
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		commands++
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the short text is %q", c.CommandPath(), c.Short)
		}
		if !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s: no example shows it: %q", c.CommandPath(), c.Example)
		}
		for line := range strings.Lines(c.Example) {
			checkExample(t, c, line)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s: no text", c.CommandPath(), f.Name)
			}
		})
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
	if commands < 20 {
		t.Errorf("visited %d commands: the walk is broken", commands)
	}
}

// checkExample checks that the flags in an example exist.
func checkExample(t *testing.T, c *cobra.Command, line string) {
	t.Helper()
	line, _, _ = strings.Cut(line, "#")
	line, _, _ = strings.Cut(line, "|")
	line, _, _ = strings.Cut(line, ";")
	words := strings.Fields(line)
	if len(words) == 0 || words[0] != "lockstep" {
		return
	}
	of, rest, err := c.Root().Find(words[1:])
	if err != nil {
		t.Errorf("%s: example %q: %v", c.CommandPath(), line, err)
		return
	}
	for _, w := range rest {
		name, isFlag := strings.CutPrefix(w, "--")
		if isFlag && name != "" && of.Flags().Lookup(name) == nil {
			t.Errorf("%s: example %q: there is no flag --%s", c.CommandPath(), line, name)
		}
	}
}

// TestHelp goes to standard output with code 0, whichever way it is asked for.
func TestHelp(t *testing.T) {
	noEnvironment(t)
	for _, args := range []string{"job submit --help", "help job submit", "job submit -h"} {
		command(t, strings.Fields(args)...).want(t, 0, []string{"lockstep job submit FILE|-", "--dry-run", "Examples:"}, nil)
	}
	command(t).want(t, 0, []string{"Available Commands"}, nil)
	command(t, "job").want(t, 0, []string{"Available Commands"}, nil)
}

func TestCompletion(t *testing.T) {
	noEnvironment(t)
	for _, shell := range shells {
		command(t, "completion", shell).want(t, 0, []string{"lockstep"}, nil)
	}
	f := newFake(t)
	f.create("mnist-1", "mnist")
	f.create("iris-1", "iris")
	address, _ := f.serve()
	r := command(t, "__complete", "job", "status", "--addr", address, "m")
	r.want(t, 0, []string{"mnist\n", "mnist-1\n"}, nil)
	if strings.Contains(r.out, "iris") {
		t.Errorf("completes m to %s", r.out)
	}
}

func TestDidYouMean(t *testing.T) {
	words := []string{"status", "submit", "wait", "list"}
	for word, want := range map[string]string{"statsu": "status", "STATUS": "status", "submitt": "submit", "st": "status", "x": "", "sta": "status", "frobnicate": "", "": ""} {
		got := didYouMean(word, words, "")
		if want != "" {
			want = `; did you mean "` + want + `"?`
		}
		if got != want {
			t.Errorf("didYouMean(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"abc", "acb", 2}, {"same", "same", 0}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
