package testcluster

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
)

// atATime is how many tests run beside one another: jobs that are disturbed mostly wait.
const atATime = "6"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atATime); err != nil {
		panic(err)
	}
	code := m.Run()
	Cleanup()
	os.Exit(code)
}

// The job of these tests has so many epochs, and ends with this step.
const (
	epochs   = 15
	lastStep = 675
)

// digits is the job of these tests: long enough to be disturbed, short enough to be run often.
func digits(t *testing.T, set ...string) []byte {
	t.Helper()
	return Spec(t, "examples/digits-mlp.yaml", append([]string{
		"spec.training.epochs", fmt.Sprint(epochs), "spec.checkpoint.every", "{epochs: 2}",
	}, set...)...)
}

// reference is the digest of that job on one worker that nothing happens to.
var (
	referenceMu sync.Mutex
	reference   string // under referenceMu
)

// want compares a job's digest with that of the undisturbed run, which it makes first if it has to.
func want(t *testing.T, got string) {
	t.Helper()
	referenceMu.Lock()
	defer referenceMu.Unlock()
	if reference == "" {
		reference = digestOf(t, digits(t))
	}
	if got == "" || got != reference {
		t.Errorf("model digest %q, want that of an undisturbed run, %q", got, reference)
	}
}

// digestOf trains a job on one worker that nothing happens to.
func digestOf(t *testing.T, canonical []byte) string {
	t.Helper()
	c := Start(t, Options{Coordinators: 1, Workers: 1, Undisturbed: true})
	return c.WaitDone(c.Submit(canonical)).ModelDigest
}
