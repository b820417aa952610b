package testcluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// TestDataRoots: a coordinator refuses what it can tell from the path, a worker what its own files add to that; what the
// operator allows is trained on.
func TestDataRoots(t *testing.T) {
	t.Parallel()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	good, bad := filepath.Join(base, "good"), filepath.Join(base, "bad")
	for _, dir := range []string{good, bad} {
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "digits.csv"), digitsText(t), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(bad, filepath.Join(good, "link")); err != nil {
		t.Fatal(err)
	}
	c := Start(t, Options{Coordinators: 1, Workers: 1, Undisturbed: true, SeatArgs: []string{"--data-root", base}, WorkerArgs: []string{"--data-root", good}})
	job := func(name, source string) []byte {
		return digits(t, "metadata.name", name, "spec.training.epochs", "1", "spec.dataset.source", "file://"+source, "spec.dataset.train", "{file: digits.csv}")
	}
	for _, source := range []string{"/etc", base + "/../secret", base + "/good/../../secret"} {
		_, err := c.Client.SubmitJob(c.context(), &lockstepv1.SubmitJobRequest{RequestId: source, Spec: job("refused", source)})
		_, dry := c.Client.PlaceJob(c.context(), &lockstepv1.PlaceJobRequest{Spec: job("refused", source)})
		for _, err := range []error{err, dry} {
			if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), source+" lies outside") || !strings.HasSuffix(err.Error(), ": "+base) {
				t.Errorf("%s: %v", source, err)
			}
		}
	}
	for name, want := range map[string]string{bad: bad + " lies outside", good + "/../bad": good + "/../bad lies outside", good + "/link": "leads to " + bad} {
		id := c.submitAs(name, job("failed", name))
		j := c.WaitJob(id, "its failure", func(j *lockstepv1.Job) bool { return j.State == lockstepv1.JobState_JOB_STATE_FAILED })
		if !strings.Contains(j.Reason, want) || !strings.Contains(j.Reason, "(--data-root): "+good) {
			t.Errorf("%s: %s", name, j.Reason)
		}
	}
	c.WaitDone(c.submitAs("good", job("good", good)))
}
