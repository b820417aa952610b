package testcluster

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// fault is one column of the matrix: something that happens to a cluster in the middle of a job.
type fault struct {
	name  string
	hosts bool // it needs hosts of their own
	do    func(c *Cluster, id string)
}

func forming(j *lockstepv1.Job) bool {
	return j.Generation.GetPhase() == lockstepv1.GenerationPhase_GENERATION_PHASE_FORMING && j.Generations > 1
}

// checkpointing reports that a checkpoint is due, and not committed yet.
func checkpointing(j *lockstepv1.Job) bool {
	due := j.Progress.GetEpoch() > 0 && j.Progress.GetEpoch()%2 == 0
	n := len(j.Checkpoints)
	return due && (n == 0 || j.Checkpoints[n-1].Step < j.Progress.Step)
}

// replace kills a worker and starts another.
func (c *Cluster) replace(p *Process) {
	p.Kill()
	c.AddWorker()
}

// regroup has a generation form, midway: a worker joins, and another one leaves where the job has no room for both.
func (c *Cluster) regroup(id string) {
	room := int(c.WaitStep(id, midway).MicroBatches)
	c.AddWorker()
	if n := len(c.workers); n > room {
		c.workers[n-2].Signal(syscall.SIGTERM)
	}
	c.WaitJob(id, "a generation that forms", forming)
}

func (c *Cluster) midway(id string) { c.WaitStep(id, midway) }

var faults = []fault{
	{"none", false, func(*Cluster, string) {}},
	{"kill worker", false, func(c *Cluster, id string) { c.midway(id); c.replace(c.workers[0]) }},
	{"kill leader", false, func(c *Cluster, id string) { c.midway(id); c.Leader().Kill() }},
	{"kill worker as a generation forms", false, func(c *Cluster, id string) { c.regroup(id); c.replace(c.workers[0]) }},
	{"kill leader as a generation forms", false, func(c *Cluster, id string) { leader := c.Leader(); c.regroup(id); leader.Kill() }},
	{"kill worker in a checkpoint", false, func(c *Cluster, id string) {
		c.WaitJob(id, "a checkpoint that is due", checkpointing)
		c.replace(c.workers[0])
	}},
	{"kill leader in a checkpoint", false, func(c *Cluster, id string) {
		leader := c.Leader()
		c.WaitJob(id, "a checkpoint that is due", checkpointing)
		leader.Kill()
	}},
	{"freeze 5 s", false, func(c *Cluster, id string) {
		c.midway(id)
		c.workers[0].Signal(syscall.SIGSTOP)
		after(5 * time.Second)
		c.workers[0].Signal(syscall.SIGCONT)
	}},
	{"join", false, func(c *Cluster, id string) { c.midway(id); c.AddWorker() }},
	{"leave", false, func(c *Cluster, id string) { c.midway(id); c.AddWorker(); c.workers[0].Stop() }},
	{"slow x10", false, func(c *Cluster, id string) { c.midway(id); c.slow(c.workers[0], 10) }},
	{"corrupt chunk", false, func(c *Cluster, id string) {
		n := len(c.workers)
		_, chunk := c.stopWithCheckpoints(id, 2)
		c.damage(chunk, 0)
		c.restart(n)
	}},
	{"torn checkpoint", false, func(c *Cluster, id string) {
		n := len(c.workers)
		_, chunk := c.stopWithCheckpoints(id, 2)
		c.damage(chunk, 0, 1, 2)
		c.restart(n)
	}},
	{"all workers lost", false, func(c *Cluster, id string) {
		n := len(c.workers)
		c.midway(id)
		c.KillWorkers()
		for range n {
			c.AddWorker()
		}
	}},
	{"all coordinators lost", false, func(c *Cluster, id string) { c.midway(id); c.KillCoordinators(); c.restart(0) }},
	{"whole cluster lost", false, func(c *Cluster, id string) {
		n := len(c.workers)
		c.midway(id)
		c.KillCoordinators()
		c.KillWorkers()
		c.restart(n)
	}},
	{"partition of a worker", true, func(c *Cluster, id string) { c.midway(id); c.cut(c.workers[0]) }},
	{"partition of the leader", true, func(c *Cluster, id string) { c.midway(id); c.cut(c.Leader()) }},
}

// cut takes a process off the network for longer than a lease.
func (c *Cluster) cut(p *Process) {
	c.t.Helper()
	if err := p.host.Cut(); err != nil {
		c.t.Fatal(err)
	}
	after(5 * time.Second)
	if err := p.host.Heal(); err != nil {
		c.t.Fatal(err)
	}
}

// selection are the cells of the matrix that every change is tested with; some have tests of their own.
var selection = map[string]int{"kill worker as a generation forms": 3, "kill leader in a checkpoint": 2, "all coordinators lost": 2,
	"partition of a worker": 3, "partition of the leader": 2}

// TestMatrix disturbs the same job in every way, on every number of workers: one digest in every cell. Without
// LOCKSTEP_CAMPAIGN=matrix only a selection is run.
func TestMatrix(t *testing.T) {
	for _, f := range faults {
		for _, workers := range []int{1, 2, 3, 5, 8} {
			if !campaign("matrix") && selection[f.name] != workers {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d workers", f.name, workers), func(t *testing.T) {
				c := Start(t, Options{Workers: workers, Hosts: f.hosts})
				id := c.Submit(digits(t))
				f.do(c, id)
				want(t, c.WaitDone(id).ModelDigest)
			})
		}
	}
}

// TestRandomFaults kills workers and coordinators and starts others, every half a second to two seconds, by a seed, while
// jobs run one after the other. LOCKSTEP_CAMPAIGN=random does so for an hour, LOCKSTEP_SEED sets the seed.
func TestRandomFaults(t *testing.T) {
	t.Parallel()
	lasts := 15 * time.Second
	if campaign("random") {
		lasts = time.Hour
	}
	seed, err := strconv.ParseUint(os.Getenv("LOCKSTEP_SEED"), 10, 64)
	if err != nil {
		seed = 1
	}
	r := rand.New(rand.NewPCG(seed, 0))
	c := Start(t, Options{Workers: 3})
	for end := time.Now().Add(lasts); time.Now().Before(end); {
		id := c.submitAs(fmt.Sprint(t.Name(), time.Now().UnixNano()), digits(t))
		done := make(chan string, 1)
		go func() {
			defer close(done) // also where it fails the test
			done <- c.WaitDone(id).ModelDigest
		}()
		for working := true; working; {
			select {
			case digest := <-done:
				working = false
				want(t, digest)
			case <-time.After(500*time.Millisecond + time.Duration(r.Int64N(int64(1500*time.Millisecond)))):
				c.disturb(r)
			}
		}
		if t.Failed() {
			return
		}
	}
}

// disturb kills a worker and starts another; one time in six, the same with a coordinator.
func (c *Cluster) disturb(r *rand.Rand) {
	if r.IntN(6) == 0 {
		i := r.IntN(len(c.seats))
		c.seats[i].Kill()
		c.StartCoordinator(i)
		return
	}
	var alive []*Process
	for _, p := range c.workers {
		if p.Alive() {
			alive = append(alive, p)
		}
	}
	c.replace(alive[r.IntN(len(alive))])
}
