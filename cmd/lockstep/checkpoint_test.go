package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// threeCheckpoints is a cluster with a job that has checkpoints of steps 10, 20 and 30, the second of which is the best.
func threeCheckpoints(t *testing.T) *fake {
	t.Helper()
	f, _ := twoJobs(t)
	f.job("mnist-1").Monitor = "val_loss"
	for _, c := range []struct {
		step uint64
		loss float64
	}{{10, 3}, {20, 1}, {30, 2}} {
		f.apply(&lockstepv1.Command{Op: &lockstepv1.Command_CommitCheckpoint{CommitCheckpoint: &lockstepv1.CommitCheckpoint{
			Job: "mnist-1", Generation: f.job("mnist-1").Generation.Number, Checkpoint: &lockstepv1.Checkpoint{
				Id: fmt.Sprintf("mnist-1@%d", c.step), Step: c.step, Size: 2048, Root: []byte{1, 2}, Chunks: [][]byte{{3, 4}},
				Metrics: []*lockstepv1.Value{{Name: "val_loss", Value: c.loss}}}}}})
	}
	return f
}

func TestCheckpointList(t *testing.T) {
	threeCheckpoints(t)
	command(t, "checkpoint", "list").want(t, 0, []string{"mnist-1@10", "val_loss 1", "best", "last", "2.0 KiB"}, nil)
	command(t, "checkpoint", "list", "mnist", "-o", "name").wantOut(t, "mnist-1@10\nmnist-1@20\nmnist-1@30\n")
	command(t, "checkpoint", "list", "iris", "-o", "json").wantOut(t, "[]\n")
	command(t, "checkpoint", "list", "iris").want(t, 0, nil, []string{"no checkpoints yet"})
	command(t, "checkpoint", "list", "mnits").want(t, codeNotFound, nil, []string{`did you mean "mnist"`})
	var views []checkpointView
	if err := json.Unmarshal([]byte(command(t, "checkpoint", "list", "-o", "json").out), &views); err != nil {
		t.Fatal(err)
	}
	if len(views) != 3 || views[1].Roles[0] != "best" || views[2].Roles[0] != "last" || views[0].Job != "mnist-1" || views[0].Root != "sha256:0102" {
		t.Errorf("JSON says %+v", views)
	}
}

func TestCheckpointDescribe(t *testing.T) {
	threeCheckpoints(t)
	for name, want := range map[string]string{"mnist": "mnist-1@30", "mnist@last": "mnist-1@30", "mnist@best": "mnist-1@20", "mnist-1@10": "mnist-1@10"} {
		command(t, "checkpoint", "describe", name, "-o", "name").wantOut(t, want+"\n")
	}
	command(t, "checkpoint", "describe", "mnist@best", "-o", "wide").want(t, 0, []string{"val_loss", "sha256:0102", "sha256:0304"}, nil)
	command(t, "checkpoint", "describe", "mnist@15").want(t, codeNotFound, nil, []string{"[10 20 30]"})
	command(t, "checkpoint", "describe").want(t, codeUsage, nil, []string{"CHECKPOINT is missing"})
}

func TestCheckpointDelete(t *testing.T) {
	f := threeCheckpoints(t)
	command(t, "checkpoint", "delete", "mnist@best", "mnist@10").wantOut(t, "mnist-1@20\nmnist-1@10\n")
	command(t, "checkpoint", "delete", "mnist@last").want(t, codeError, nil, []string{"would resume from"})
	if n := len(f.job("mnist-1").Checkpoints); n != 1 {
		t.Errorf("%d checkpoints are left, want 1", n)
	}
}

func TestCompleteCheckpoints(t *testing.T) {
	threeCheckpoints(t)
	r := command(t, "__complete", "checkpoint", "describe", "mnist")
	for _, want := range []string{"mnist-1@10", "mnist@best", "mnist@last"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("completion offers %q, want %s in it", r.out, want)
		}
	}
	if r := command(t, "__complete", "checkpoint", "delete", "mnist-1@10", "mnist-1@1"); strings.Contains(r.out, "mnist-1@10") {
		t.Errorf("completion offers what is there already: %q", r.out)
	}
}
