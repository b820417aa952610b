package job

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// TestViewJSON pins the object that scripts read: names, order and types.
func TestViewJSON(t *testing.T) {
	j := &lockstepv1.Job{
		Id: "j-1", Name: "fashion-cnn", State: lockstepv1.JobState_JOB_STATE_SUCCEEDED, Generations: 2,
		Generation: &lockstepv1.Generation{Number: 3, Members: []*lockstepv1.Member{{Worker: "a"}, {Worker: "b"}}},
		Progress: &lockstepv1.Progress{
			Step: 2110, Epoch: 10, Parameters: 421642, TimedRecords: 24691, TimedSeconds: 2, Workers: 4,
			Metrics: []*lockstepv1.Value{{Name: "train_loss", Value: 0.21}, {Name: "test_accuracy", Value: 0.9}, {Name: "val_loss", Value: math.Inf(1)}},
		},
		ModelDigest: "sha256:ab", Checkpoints: []*lockstepv1.Checkpoint{{Id: "c1"}, {Id: "c2"}},
	}
	want := `{"id":"j-1","name":"fashion-cnn","state":"SUCCEEDED","reason":"","step":2110,"epoch":10,"generation":3,` +
		`"generations":2,"workers":2,"parameters":421642,"model_digest":"sha256:ab","samples_per_second":12345.5,` +
		`"metrics":{"test_accuracy":0.9,"train_loss":0.21},"checkpoint":"c2"}`
	checkJSON(t, ViewOf(j), want)
}

// TestViewOfNewJob has every field although nothing is known yet.
func TestViewOfNewJob(t *testing.T) {
	j := &lockstepv1.Job{Id: "j", Name: "n", State: lockstepv1.JobState_JOB_STATE_PENDING, Reason: "waits for workers"}
	want := `{"id":"j","name":"n","state":"PENDING","reason":"waits for workers","step":0,"epoch":0,"generation":0,` +
		`"generations":0,"workers":0,"parameters":0,"model_digest":"","samples_per_second":0,"metrics":{},"checkpoint":""}`
	checkJSON(t, ViewOf(j), want)
}

func TestRate(t *testing.T) {
	for _, c := range []struct {
		records uint64
		seconds float64
		want    float64
	}{
		{0, 0, 0}, {100, 0, 0}, {100, -1, 0}, {100, 3, 33.3}, {1, math.SmallestNonzeroFloat64, 0}, {1, math.NaN(), 0},
	} {
		if got := rate(&lockstepv1.Progress{TimedRecords: c.records, TimedSeconds: c.seconds}); got != c.want {
			t.Errorf("rate of %d records in %v s = %v, want %v", c.records, c.seconds, got, c.want)
		}
	}
}

func checkJSON(t *testing.T, v View, want string) {
	t.Helper()
	var got bytes.Buffer
	e := json.NewEncoder(&got)
	if err := e.Encode(v); err != nil {
		t.Fatalf("encode view: %v", err)
	}
	if diff := cmp.Diff(want+"\n", got.String()); diff != "" {
		t.Errorf("view differs (-want +got):\n%s", diff)
	}
}
