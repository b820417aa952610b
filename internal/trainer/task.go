package trainer

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"

	"lockstep/internal/ckpt"
	"lockstep/internal/dataset"
	"lockstep/internal/export"
	"lockstep/internal/kernel"
	"lockstep/internal/ledger"
	"lockstep/internal/model"
	"lockstep/internal/optim"
	"lockstep/internal/shard"
	"lockstep/internal/spec"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// task is a worker's work on one job, kept over its generations.
//
// The state is written only by the running session, under mu; other goroutines read it under mu.
type task struct {
	id       string
	spec     *spec.TrainJob
	specHash [32]byte
	data     *dataset.Dataset
	info     dataset.Info
	about    []byte // info as JSON, for those who use the model
	net      *model.Network
	params   []model.Param
	opt      *optim.Optimizer
	sched    *optim.Schedule
	plan     shard.Plan
	perEpoch int      // steps of an epoch
	total    int      // steps of the job, unless it stops early
	epochs   int      // 0: the job counts steps
	genesis  [32]byte // of the step ledger
	buckets  []bucket

	weights *model.Weights
	cores   []*core
	run     int // micro-batches that a core may compute in a row
	sums    sums
	sum     []float32 // of the gradients of all workers
	orders  orders

	dropped uint64 // generation of the newest dispute for which the state was dropped

	spare   []*copies    // memory for checkpoints; under the uploader's mu while there is one; nil: none was taken yet
	unsaved []checkpoint // that a generation did not get done, oldest first
	evals   evaluations

	mu    sync.RWMutex
	state *state // nil: none yet
}

// core is what micro-batches are computed with, one at a time. The gradients of up to maxRun micro-batches in a row are
// kept and then added to the sums together: that takes the sums through the memory once.
type core struct {
	pass  *model.Pass
	batch dataset.Batch
	rows  []int
	grads [][]float32
	stats []float64
	parts [][]float32 // those of one parameter
}

// maxRun is the largest number of gradients that a core keeps, and maxKept the size in floats that all but one have.
const (
	maxRun  = 4
	maxKept = 1 << 24
)

func newTask(id string) *task { return &task{id: id} }

// jobError is a failure that lies in the job: every worker would meet it.
type jobError struct{ err error }

func (e *jobError) Error() string { return e.err.Error() }
func (e *jobError) Unwrap() error { return e.err }

// open reads the job's data and plans its computation, unless that was done for an earlier generation.
func (t *task) open(ctx context.Context, j *lockstepv1.Job, cores int, o dataset.Options) error {
	if t.net != nil {
		return nil
	}
	parsed, err := spec.FromCanonical(j.Spec)
	if err != nil {
		return &jobError{fmt.Errorf("specification: %w", err)}
	}
	t.spec, t.specHash = &parsed.Spec, parsed.Hash()
	if t.data, err = dataset.OpenWith(ctx, t.spec.Dataset, t.spec.Seed, o); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &jobError{err}
	}
	t.info = t.data.Info()
	if t.about, err = json.Marshal(t.info); err != nil {
		return fmt.Errorf("describe data: %w", err)
	}
	if err := t.build(cores); err != nil {
		return &jobError{err}
	}
	return nil
}

// build makes the network and everything whose size follows from it.
func (t *task) build(cores int) error {
	net, err := model.Build(t.spec, model.Data{Shape: t.info.Shape, Integer: t.info.Integer, Vocab: t.info.Vocab,
		TargetShape: t.info.TargetShape, Classes: t.info.ClassCount})
	if err != nil {
		return err
	}
	t.plan = shard.Plan{Records: t.info.Train, ShardRecords: t.spec.Dataset.ShardRecords, Micro: t.spec.Training.MicroBatches,
		Batch: t.spec.Training.GlobalBatchSize, Seed: t.spec.Seed, Shuffle: *t.spec.Dataset.Shuffle}
	if err := t.plan.Validate(); err != nil {
		return err
	}
	t.perEpoch = t.plan.StepsPerEpoch()
	t.total, t.epochs = t.spec.Training.MaxSteps, 0
	if t.total == 0 {
		t.epochs = t.spec.Training.Epochs
		t.total = t.epochs * t.perEpoch
	}
	t.genesis = ledger.Genesis(t.specHash, t.info.Fingerprint, t.info.Train)
	if t.sched, err = optim.NewSchedule(t.spec.LRScheduler, t.spec.Optimizer.LearningRate, t.total); err != nil {
		return err
	}
	t.params = net.Params()
	if t.opt, err = optim.New(t.spec.Optimizer, ranges(t.params), net.Size()); err != nil {
		return err
	}
	t.buckets = planBuckets(t.params, t.spec.Parallelism.BucketMB)
	t.allocate(net, cores)
	return nil
}

func (t *task) allocate(net *model.Network, cores int) {
	t.net = net
	t.weights = net.NewWeights()
	t.sum = make([]float32, net.Size())
	t.sums = newSums(t)
	t.run = inARow(net.Size(), t.plan.Micro, cores)
	for range min(cores, t.plan.Micro) {
		c := &core{pass: net.NewPass(t.plan.MaxRows()), stats: make([]float64, net.NumStats())}
		for range t.run {
			c.grads = append(c.grads, make([]float32, net.Size()))
		}
		t.cores = append(t.cores, c)
	}
}

func ranges(params []model.Param) []optim.Range {
	out := make([]optim.Range, len(params))
	for i, p := range params {
		out[i] = optim.Range{Off: p.Off, Len: p.Len, Moving: p.Kind == model.Moving, Frozen: p.Kind == model.Frozen,
			Momentum: p.Momentum, L1: p.L1, L2: p.L2}
	}
	return out
}

// spread calls do for each i from 0 to n-1 on this worker's cores, and returns when all are done.
func (t *task) spread(n int, do func(i int)) {
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			do(i)
		}
	}
	var g sync.WaitGroup
	for range min(len(t.cores), n) - 1 {
		g.Go(work)
	}
	work()
	g.Wait()
}

// blockLen is the number of elements of a vector that a core takes at a time.
const blockLen = 32 << 10

// spreadBlocks calls do for the blocks of a vector of n elements on this worker's cores, and returns when all are done.
func (t *task) spreadBlocks(n int, do func(lo, hi int)) {
	t.spread((n+blockLen-1)/blockLen, func(i int) { do(i*blockLen, min((i+1)*blockLen, n)) })
}

// maxAbs returns the largest magnitude in x.
func (t *task) maxAbs(x []float32) (m float32) {
	parts := make([]float32, (len(x)+blockLen-1)/blockLen)
	t.spreadBlocks(len(x), func(lo, hi int) { parts[lo/blockLen] = kernel.MaxAbs(x[lo:hi]) })
	for _, v := range parts {
		m = max(m, v)
	}
	return m
}

// epochOrder returns the record order of an epoch.
func (t *task) epochOrder(epoch int) *shard.Order { return t.orders.of(t.plan, epoch) }

// snapshot returns a copy of the state as a checkpoint, if it stands at this position.
func (t *task) snapshot(position uint64) *ckpt.State {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.state == nil || t.state.position != position {
		return nil
	}
	return t.encode(t.state)
}

// begin gives the task the state of a job that has not made a step, with weights from elsewhere if there are any. note
// tells what became of them.
func (t *task) begin(from []export.Tensor) (note string, err error) {
	s := t.newState()
	t.net.Init(s.params, t.spec.Seed)
	if t.spec.InitFrom != nil {
		if note, err = t.transfer(s.params, from); err != nil {
			return "", &jobError{fmt.Errorf("init_from: %w", err)}
		}
	}
	t.opt.InitState(s.slots)
	s.position = 1
	t.replace(s)
	return note, nil
}

func (t *task) replace(s *state) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state = s
}

// position is where the task stands, and whether it has any state.
func (t *task) position() (position uint64, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.state == nil {
		return 0, false
	}
	return t.state.position, true
}
