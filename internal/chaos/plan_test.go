package chaos

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPlanFollowsFromItsSeed(t *testing.T) {
	a, b := Plan(7, time.Minute, Kinds, 3, 4), Plan(7, time.Minute, Kinds, 3, 4)
	if diff := cmp.Diff(a, b); diff != "" || len(a) < 10 {
		t.Errorf("two plans of a seed, of %d faults, differ: %s", len(a), diff)
	}
	if cmp.Equal(a, Plan(8, time.Minute, Kinds, 3, 4)) {
		t.Error("another seed gives the same plan")
	}
}

// TestPlanLeavesAMajority: of the coordinators one at a time is disturbed, and the disk of one alone lies.
func TestPlanLeavesAMajority(t *testing.T) {
	for seed := range uint64(200) {
		var until time.Duration
		lies := ""
		for _, f := range Plan(seed, 2*time.Minute, Kinds, 3, 4) {
			switch {
			case !strings.HasPrefix(f.Target, "coordinator"):
			case f.Kind == Corrupt:
				if lies != "" && lies != f.Target {
					t.Fatalf("seed %d: the disks of %s and %s lie", seed, lies, f.Target)
				}
				lies = f.Target
			case f.At < until:
				t.Fatalf("seed %d: %+v begins before %v", seed, f, until)
			default:
				until = f.end()
			}
		}
	}
}
