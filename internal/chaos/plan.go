package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Kind is what happens to a process.
type Kind string

// The kinds of faults.
const (
	Kill      Kind = "kill"      // SIGKILL; it is started again at the end, a worker as a new one
	Freeze    Kind = "freeze"    // SIGSTOP until the end
	Partition Kind = "partition" // its host's cable is pulled until the end
	Slow      Kind = "slow"      // it runs for a tenth of the time until the end
	Corrupt   Kind = "corrupt"   // a bit of a checkpoint is flipped on its disk
)

// Kinds are all kinds of faults.
var Kinds = []Kind{Kill, Freeze, Partition, Slow, Corrupt}

// Fault is one entry of a schedule.
type Fault struct {
	At     time.Duration `json:"at"` // after the beginning
	Lasts  time.Duration `json:"lasts"`
	Kind   Kind          `json:"kind"`
	Target string        `json:"target"` // worker-1, coordinator-2, ...
}

func (f Fault) end() time.Duration { return f.At + f.Lasts }

// Times between two faults, and how long one lasts.
const (
	leastGap, mostGap   = 500 * time.Millisecond, 2 * time.Second
	leastLast, mostLast = 500 * time.Millisecond, 5 * time.Second
	recovery            = 5 * time.Second // that coordinators get before the next one is disturbed
)

// Plan makes the schedule of a seed: faults of these kinds, at random times, on random processes. It never takes more from
// a cluster than its guarantees allow: one coordinator at a time is disturbed, and the disk of the same one alone lies. Of
// a process that is disturbed already it lets go.
func Plan(seed uint64, lasts time.Duration, kinds []Kind, coordinators, workers int) []Fault {
	r := rand.New(rand.NewPCG(seed, 0))
	between := func(lo, hi time.Duration) time.Duration { return lo + time.Duration(r.Int64N(int64(hi-lo)/1e6))*1e6 }
	busy := map[string]time.Duration{} // until when a process is disturbed
	quorum := time.Duration(0)         // until when one of the coordinators is
	var plan []Fault
	for at := between(leastGap, mostGap); at < lasts; at += between(leastGap, mostGap) {
		f := Fault{At: at, Kind: kinds[r.IntN(len(kinds))], Lasts: between(leastLast, mostLast)}
		f.Target = fmt.Sprintf("worker-%d", 1+r.IntN(workers))
		coordinator := f.Kind == Corrupt || f.Kind != Slow && coordinators > 2 && r.IntN(4) == 0
		if coordinator {
			f.Target = fmt.Sprintf("coordinator-%d", 1+r.IntN(coordinators))
		}
		if f.Kind == Corrupt {
			f.Target, f.Lasts = fmt.Sprintf("coordinator-%d", coordinators), 0
		}
		if at < busy[f.Target] || coordinator && f.Kind != Corrupt && at < quorum {
			continue
		}
		busy[f.Target] = f.end()
		if coordinator && f.Kind != Corrupt {
			quorum = f.end() + recovery
		}
		plan = append(plan, f)
	}
	return plan
}
