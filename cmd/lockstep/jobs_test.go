package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
)

// twoJobs is a cluster with a job that runs and one that waits.
func twoJobs(t *testing.T) (*fake, string) {
	t.Helper()
	noEnvironment(t)
	f := newFake(t)
	f.create("mnist-1", "mnist")
	f.create("iris-1", "iris")
	f.form("mnist-1", "", "w1", "w2")
	f.progress("mnist-1", 30, &lockstepv1.Value{Name: "train_loss", Value: 0.5})
	address, _ := f.serve()
	t.Setenv("LOCKSTEP_ADDR", address)
	return f, address
}

func TestListFormats(t *testing.T) {
	twoJobs(t)
	r := command(t, "job", "list")
	r.want(t, 0, []string{"ID ", "NAME", "mnist-1", "RUNNING", "3/10", "30/100", "PENDING"}, nil)
	if strings.Contains(r.out, "\x1b") {
		t.Errorf("colours where there is no terminal: %q", r.out)
	}
	if wide := command(t, "job", "list", "-o", "wide"); !strings.Contains(wide.out, "waits for workers") || strings.Contains(r.out, "waits for workers") {
		t.Errorf("the reason must be in the wide table only:\n%s\n%s", r.out, wide.out)
	}
	command(t, "job", "list", "-o", "name").wantOut(t, "mnist-1\niris-1\n")

	var views []job.View
	if err := json.Unmarshal([]byte(command(t, "job", "list", "-o", "json").out), &views); err != nil {
		t.Fatal(err)
	}
	if len(views) != 2 || views[0].ID != "mnist-1" || views[0].Workers != 2 || views[0].SamplesPerSecond != 500 || views[1].State != "PENDING" {
		t.Errorf("JSON says %+v", views)
	}
	var fromYAML []map[string]any
	if err := yaml.Unmarshal([]byte(command(t, "job", "list", "-o", "yaml").out), &fromYAML); err != nil {
		t.Fatal(err)
	}
	if len(fromYAML) != 2 || fromYAML[1]["name"] != "iris" || fromYAML[0]["step"] != 30 {
		t.Errorf("YAML says %v", fromYAML)
	}
}

func (r result) wantOut(t *testing.T, out string) {
	t.Helper()
	if diff := cmp.Diff(out, r.out); diff != "" || r.code != 0 {
		t.Errorf("exit code %d, stdout (-want +got):\n%s\nstderr: %s", r.code, diff, r.err)
	}
}

// TestEmptyLists: for people a hint on standard error, for programs an empty list.
func TestEmptyLists(t *testing.T) {
	noEnvironment(t)
	address, _ := newFake(t).serve()
	for _, list := range []string{"job", "worker"} {
		r := command(t, list, "list", "--addr", address)
		r.want(t, 0, nil, []string{"There are no " + list + "s"})
		r.wantOut(t, "")
		command(t, list, "list", "--addr", address, "-o", "json").wantOut(t, "[]\n")
		command(t, list, "list", "--addr", address, "-o", "name").wantOut(t, "")
	}
}

// TestAddressPrecedence: flag before environment; a port may be left out; one of several addresses is enough.
func TestAddressPrecedence(t *testing.T) {
	_, first := twoJobs(t)
	other := newFake(t)
	other.create("other-1", "other")
	address, _ := other.serve()
	command(t, "job", "list", "-o", "name").wantOut(t, "mnist-1\niris-1\n")
	command(t, "job", "list", "-o", "name", "--addr", address).wantOut(t, "other-1\n")
	command(t, "job", "list", "-o", "name", "--addr", "127.0.0.1:1, "+first).wantOut(t, "mnist-1\niris-1\n")
	t.Setenv("LOCKSTEP_ADDR", "127.0.0.1:1,"+address)
	command(t, "job", "list", "-o", "name").wantOut(t, "other-1\n")
}

// TestFormatFromEnvironment: flag before environment before default.
func TestFormatFromEnvironment(t *testing.T) {
	twoJobs(t)
	t.Setenv("LOCKSTEP_OUTPUT_FORMAT", "name")
	command(t, "job", "status", "mnist").wantOut(t, "mnist-1\n")
	command(t, "job", "status", "mnist", "-o", "table").want(t, 0, []string{"state"}, nil)
}

func TestParseAddresses(t *testing.T) {
	got, err := parseAddresses([]string{"a", " b:1", "", "[::1]:2", "::1", "[fe80::1]"})
	want := []string{"a:7070", "b:1", "[::1]:2", "[::1]:7070", "[fe80::1]:7070"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("addresses (-want +got), error %v:\n%s", err, diff)
	}
}

// TestNoCluster says so at once, and what to do.
func TestNoCluster(t *testing.T) {
	noEnvironment(t)
	address, kill := newFake(t).serve()
	kill()
	for _, args := range []string{"job list", "job wait x", "worker list", "cluster status", "model export x"} {
		r := command(t, append(strings.Fields(args), "--addr", address)...)
		r.want(t, codeError, nil, []string{"no coordinator answers at " + address + ": ", "connection refused", "lockstep up"})
	}
}

func TestStatus(t *testing.T) {
	f, _ := twoJobs(t)
	command(t, "job", "status", "mnist").want(t, 0, []string{"mnist-1", "RUNNING", "30/100", "train_loss", "0.5"}, nil)
	r := command(t, "job", "status", "mnist-1", "-o", "json")
	var got, want any
	text, err := json.Marshal(job.ViewOf(f.job("mnist-1")))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatalf("%v in %s", err, r.out)
	}
	if diff := cmp.Diff(want, got); diff != "" || r.code != 0 {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	command(t, "job", "status", "mnits").want(t, codeNotFound, nil, []string{`there is no job "mnits"; did you mean "mnist"?`})
}

func TestDescribe(t *testing.T) {
	f, _ := twoJobs(t)
	f.checkpoint("mnist-1", modelState(7))
	command(t, "job", "describe", "mnist").want(t, 0, []string{"w1:7080", "1/2", "mnist-1-c", "kind: TrainJob", "spec hash", "1 to 8"}, nil)
	var d job.Detail
	if err := json.Unmarshal([]byte(command(t, "job", "describe", "mnist", "-o", "json").out), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Members) != 2 || d.Members[1].SegmentFrom != 1 || len(d.Checkpoints) != 1 || string(d.Spec) == "" || d.ID != "mnist-1" {
		t.Errorf("detail %+v", d)
	}
	command(t, "job", "describe", "iris").want(t, 0, []string{"PENDING", "waits for workers"}, nil)
	command(t, "job", "describe", "nothing").want(t, codeNotFound, nil, nil)
}

func TestCancel(t *testing.T) {
	f, _ := twoJobs(t)
	command(t, "job", "cancel", "mnist", "--reason", "too slow").want(t, 0, []string{"CANCELLED", "too slow"}, nil)
	if j := f.job("mnist-1"); j.State != lockstepv1.JobState_JOB_STATE_CANCELLED || j.Reason != "too slow" {
		t.Errorf("the job is %v: %q", j.State, j.Reason)
	}
	command(t, "job", "cancel", "mnist").want(t, codeError, nil, []string{"error:"})
	command(t, "job", "cancel", "nothing").want(t, codeNotFound, nil, nil)
}

func TestWorkers(t *testing.T) {
	twoJobs(t)
	command(t, "worker", "list").want(t, 0, []string{"w1", "w1:7080", "mnist-1", "CORES"}, nil)
	command(t, "worker", "list", "-o", "name").wantOut(t, "w1\nw2\n")
	var views []job.WorkerView
	if err := json.Unmarshal([]byte(command(t, "worker", "ls", "-o", "json").out), &views); err != nil {
		t.Fatal(err)
	}
	if len(views) != 2 || views[1].ID != "w2" || views[1].Job != "mnist-1" || views[1].Cores != 2 {
		t.Errorf("JSON says %+v", views)
	}
}

func TestClusterStatus(t *testing.T) {
	twoJobs(t)
	command(t, "cluster", "status").want(t, 0, []string{"c-1", "Leader", "h2:7070", "no", "1 running, 0 pending"}, nil)
	command(t, "cluster", "status", "-o", "name").wantOut(t, "c-1\nc-2\n")
	var v job.ClusterView
	if err := json.Unmarshal([]byte(command(t, "cluster", "status", "-o", "json").out), &v); err != nil {
		t.Fatal(err)
	}
	if v.Leader != "c-1" || v.Term != 3 || len(v.Coordinators) != 2 || v.Coordinators[1].Reachable {
		t.Errorf("JSON says %+v", v)
	}
}

func TestVersion(t *testing.T) {
	noEnvironment(t)
	command(t, "version").want(t, 0, []string{"version", "go1."}, nil)
	var b build
	if err := json.Unmarshal([]byte(command(t, "version", "-o", "json").out), &b); err != nil || b.Go == "" || b.Version == "" {
		t.Errorf("version %+v, %v", b, err)
	}
}
