// Package plan works out what a job will be before it is one: the layers of its model, the steps of its training, what
// a step computes and sends, what a worker needs, and who reads what. It reads the data that the specification names.
package plan

import (
	"context"
	"fmt"

	"lockstep/internal/dataset"
	"lockstep/internal/model"
	"lockstep/internal/optim"
	"lockstep/internal/shard"
	"lockstep/internal/spec"
	"lockstep/internal/trainer"
)

// Plan is a job as it will be. Figures of computation count 2 for each multiply-add of a product, and nothing else.
type Plan struct {
	Name         string            `json:"name"`
	Data         Data              `json:"data"`
	Layers       []model.LayerInfo `json:"layers"`
	Parameters   int               `json:"parameters"` // values, with frozen ones and moving statistics
	Trainable    int               `json:"trainable"`
	ModelBytes   int64             `json:"model_bytes"`
	Batch        int               `json:"global_batch_size"`
	MicroBatches int               `json:"micro_batches"`
	MicroRecords int               `json:"micro_batch_records"` // of the largest one
	Epochs       int               `json:"epochs"`              // 0: the job counts steps
	Steps        int               `json:"steps"`
	EpochSteps   int               `json:"steps_per_epoch"`
	SampleFLOPs  int64             `json:"flops_per_sample"` // forward and backward
	StepFLOPs    int64             `json:"flops_per_step"`
	Cores        int               `json:"cores"`        // of a worker
	MemoryBytes  int64             `json:"memory_bytes"` // of a worker of so many cores, without its records; about
	Workers      []Share           `json:"workers"`      // for several numbers of them
	Members      []Member          `json:"members"`      // if there are as many workers as was asked for
}

// Data is what the job reads.
type Data struct {
	Train        int   `json:"train"` // records
	Val          int   `json:"val"`
	Test         int   `json:"test"`
	Shape        []int `json:"shape"` // of one record
	Classes      int   `json:"classes"`
	Vocabulary   int   `json:"vocabulary"` // 0: records are no tokens
	Shards       int   `json:"shards"`
	ShardRecords int   `json:"shard_records"`
}

// Share is the part of one of several equally fast workers.
type Share struct {
	Workers  int   `json:"workers"`
	Segments int   `json:"segments"` // of the one that has most
	Sent     int64 `json:"sent_bytes_per_step"`
	FLOPs    int64 `json:"flops_per_step"` // of the one that has most
}

// Member is one of several equally fast workers, and what it reads in the first epoch.
type Member struct {
	SegmentFrom int   `json:"segment_from"`
	SegmentTo   int   `json:"segment_to"` // the first one that is not its own
	Records     int   `json:"records"`
	Shards      []int `json:"shards"` // as they come
}

// Options say for what cluster to plan.
type Options struct {
	Workers int             // that share the segments in Members; 0: as many as the job may have
	Cores   int             // of each
	Data    dataset.Options // how the data is reached
}

// Make reads the data of a job and plans it.
func Make(ctx context.Context, j *spec.Job, o Options) (*Plan, error) {
	t := &j.Spec
	d, err := dataset.OpenWith(ctx, t.Dataset, t.Seed, o.Data)
	if err != nil {
		return nil, err
	}
	info := d.Info()
	net, err := model.Build(t, model.Data{Shape: info.Shape, Integer: info.Integer, Vocab: info.Vocab, TargetShape: info.TargetShape, Classes: info.ClassCount})
	if err != nil {
		return nil, err
	}
	order := shard.Plan{Records: info.Train, ShardRecords: t.Dataset.ShardRecords, Micro: t.Training.MicroBatches,
		Batch: t.Training.GlobalBatchSize, Seed: t.Seed, Shuffle: *t.Dataset.Shuffle}
	if err := order.Validate(); err != nil {
		return nil, err
	}
	p := &Plan{Name: j.Metadata.Name, Layers: net.Layers(), Batch: order.Batch, MicroBatches: order.Micro, MicroRecords: order.MaxRows(),
		Epochs: t.Training.Epochs, EpochSteps: order.StepsPerEpoch(), Steps: t.Training.MaxSteps, Cores: o.Cores,
		Data: Data{Train: info.Train, Val: info.Val, Test: info.Test, Shape: net.InputShape(), Classes: info.ClassCount, Vocabulary: info.Vocab,
			Shards: order.Shards(), ShardRecords: order.ShardRecords}}
	if p.Epochs > 0 {
		p.Steps = p.Epochs * p.EpochSteps
	}
	if err := p.compute(t, net, order); err != nil {
		return nil, err
	}
	most := min(t.Parallelism.Workers.Max, order.Micro)
	if o.Workers == 0 {
		o.Workers = most
	}
	if o.Workers > order.Micro {
		return nil, fmt.Errorf("%d workers: a step has %d micro-batches, and so work for as many workers", o.Workers, order.Micro)
	}
	p.share(t.Parallelism.Wire, max(1, t.Parallelism.Workers.Min), most)
	p.Members = members(order, o.Workers)
	return p, nil
}

// compute adds what follows from the network.
func (p *Plan) compute(t *spec.TrainJob, net *model.Network, order shard.Plan) error {
	for _, l := range p.Layers {
		p.Parameters += l.Parameters
		p.Trainable += l.Trainable
		p.SampleFLOPs += l.Forward + l.Backward
	}
	p.ModelBytes = 4 * int64(p.Parameters)
	p.StepFLOPs = p.SampleFLOPs * int64(min(order.Batch, order.Records))
	opt, err := optim.New(t.Optimizer, nil, net.Size())
	if err != nil {
		return err
	}
	p.MemoryBytes = trainer.Memory(t, net, opt, order, p.Cores)
	return nil
}

// share works out the part of a worker for the least number of workers, the most, and powers of two in between.
func (p *Plan) share(wire string, least, most int) {
	value := int64(4) // bytes, of partial sums without loss too, about
	if wire == "bf16" {
		value = 2
	}
	for n := least; n <= most; n = next(n, most) {
		segments := (p.MicroBatches + n - 1) / n
		p.Workers = append(p.Workers, Share{Workers: n, Segments: segments,
			Sent:  2 * int64(n-1) * value * int64(p.Parameters) / int64(n),
			FLOPs: p.StepFLOPs * int64(segments) / int64(p.MicroBatches)})
	}
}

// next is the next number of workers to tell of: a power of two, and the most.
func next(n, most int) int {
	power := 1
	for power <= n {
		power *= 2
	}
	if n < most {
		return min(power, most)
	}
	return most + 1
}

// members deals the segments to workers of one speed.
func members(order shard.Plan, workers int) []Member {
	var out []Member
	first := order.Epoch(0)
	for _, r := range shard.Assign(order.Micro, make([]float64, workers)) {
		records := shard.Range{From: first.Segment(r.From).From, To: first.Segment(r.To - 1).To}
		out = append(out, Member{SegmentFrom: r.From, SegmentTo: r.To, Records: records.Len(), Shards: first.ShardsOf(records)})
	}
	return out
}
