package shard

import (
	"fmt"
	"math"
)

// maxCount bounds the counts of a Plan, so that no product of two of them overflows.
const maxCount = math.MaxInt32

// Plan fixes the order of a training run's records.
type Plan struct {
	Records      int    // N, the records of the training split
	ShardRecords int    // records a shard; the last shard may have fewer
	Micro        int    // M, the micro-batches of a step and the segments of an epoch
	Batch        int    // records a step, at least Micro; the steps of an epoch share its records evenly, so it is an upper bound up to rounding
	Seed         uint64 // with the epoch, the key of the order
	Shuffle      bool   // false: the records as stored, in every epoch
}

// Validate reports the first count that is out of range.
func (p Plan) Validate() error {
	for _, c := range []struct {
		name string
		n    int
	}{{"records", p.Records}, {"records a shard", p.ShardRecords}, {"micro-batches", p.Micro}, {"records a batch", p.Batch}} {
		if c.n < 1 || c.n > maxCount {
			return fmt.Errorf("shard plan: %d %s, want 1 to %d", c.n, c.name, maxCount)
		}
	}
	if p.Micro > p.Batch {
		return fmt.Errorf("shard plan: a batch of %d records cannot be cut into %d micro-batches: some steps would have no record", p.Batch, p.Micro)
	}
	return nil
}

// StepsPerEpoch returns S, the number of steps that read every record once.
func (p Plan) StepsPerEpoch() int { return ceilDiv(p.Records, p.Batch) }

// MaxRows returns the size of the largest micro-batch of any step.
func (p Plan) MaxRows() int { return ceilDiv(ceilDiv(p.Records, p.Micro), p.StepsPerEpoch()) }

// Shards returns the number of shards.
func (p Plan) Shards() int { return ceilDiv(p.Records, p.ShardRecords) }

// Locate returns the epoch of a step, and the step's number within it, both from 0.
func Locate(step uint64, stepsPerEpoch int) (epoch, t int) {
	s := uint64(stepsPerEpoch)
	return int(step / s), int(step % s)
}

// bounds returns [i*n/parts, (i+1)*n/parts), the i-th part of n things cut evenly.
func bounds(i, n, parts int) Range { return Range{From: i * n / parts, To: (i + 1) * n / parts} }

func ceilDiv(a, b int) int { return (a + b - 1) / b }
