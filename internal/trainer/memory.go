package trainer

import (
	"lockstep/internal/model"
	"lockstep/internal/optim"
	"lockstep/internal/shard"
	"lockstep/internal/spec"
)

// Memory estimates the bytes that a worker of so many cores needs for a job, apart from the records that it holds and
// from what any process needs.
func Memory(job *spec.TrainJob, net *model.Network, opt *optim.Optimizer, plan shard.Plan, cores int) int64 {
	cores = min(cores, plan.Micro)
	vector := int64(4 * net.Size())
	state := vector * int64(1+len(opt.Slots()))
	if e := job.EarlyStopping; job.Export.Which == "best" || e != nil && e.RestoreBestWeights {
		state += vector
	}
	sums := 3 * vector // in fixed point, and as numbers
	if job.Parallelism.Reduction == "float32" {
		sums = 2 * vector
	}
	core := int64(net.NewPass(plan.MaxRows()).Bytes()) + vector*int64(inARow(net.Size(), plan.Micro, cores))
	return 2*state + sums + int64(net.PackedBytes()) + int64(cores)*core // twice: a checkpoint is stored from a copy
}

// inARow is the number of micro-batches that a core may compute in a row, for a vector of so many parameters.
func inARow(size, micro, cores int) int { return max(1, min(maxRun, micro/cores, maxKept/size)) }
