package main

import (
	"encoding/json"
	"strings"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

func TestTop(t *testing.T) {
	f := emptyCluster(t)
	command(t, "top", "--once").want(t, 0, []string{"leader c-1, term 3   coordinators 1 of 2", "There are no jobs yet", "WORKER"}, nil)
	f.create("done-1", "done")
	f.cancel("done-1", "")
	f.create("tiny-1", "tiny")
	f.form("tiny-1", "", "w1", "w2")
	for i, loss := range []float64{4, 3, 2, 1} {
		f.progress("tiny-1", uint64(10*(i+1)), &lockstepv1.Value{Name: "train_loss", Value: loss}, &lockstepv1.Value{Name: "val_accuracy", Value: 0.5})
	}
	f.create("later-1", "later")
	r := command(t, "top")
	r.want(t, 0, []string{"ring of tiny-1, generation", "w1 [0-0] → w2 [1-1] → w1", "40/100", "0.5000", "█▅▃▁", "w1:7080"}, []string{"no terminal: this is one frame"})
	if done, tiny := strings.Index(r.out, "done-1"), strings.Index(r.out, "tiny-1"); done < tiny {
		t.Errorf("what has ended comes before what runs:\n%s", r.out)
	}

	var now reading
	if r := command(t, "top", "-o", "json"); r.code != 0 || json.Unmarshal([]byte(r.out), &now) != nil || strings.Contains(r.out, `"spec"`) {
		t.Fatalf("%+v", r)
	}
	if len(now.Jobs) != 3 || len(now.Workers) != 2 || now.Cluster.Leader != "c-1" {
		t.Errorf("%+v", now)
	}
	for _, j := range now.Jobs {
		if j.ID == "tiny-1" && (len(j.Members) != 2 || j.Metrics["train_loss"] != 1) {
			t.Errorf("%+v", j)
		}
	}
	command(t, "top", "-o", "name").wantOut(t, "done-1\ntiny-1\nlater-1\n")
}
