package verify

import (
	"fmt"

	"lockstep/internal/shard"
)

// plan is the order of the job's records.
func (v *Job) plan() shard.Plan {
	t := &v.spec.Spec
	return shard.Plan{Records: int(v.ledger.Records), ShardRecords: t.Dataset.ShardRecords, Micro: t.Training.MicroBatches,
		Batch: t.Training.GlobalBatchSize, Seed: t.Seed, Shuffle: t.Dataset.Shuffle == nil || *t.Dataset.Shuffle}
}

// total is the number of the job's steps, unless it stops early.
func (v *Job) total() int {
	if n := v.spec.Spec.Training.MaxSteps; n > 0 {
		return n
	}
	return v.spec.Spec.Training.Epochs * v.perEpoch
}

// records: the steps made use every record once in each complete epoch, and none twice in one that is not.
func (v *Job) records() (string, error) {
	plan := v.plan()
	if err := plan.Validate(); err != nil {
		return "", err
	}
	steps := int(v.chain[len(v.chain)-1].Step)
	seen := make([]int32, plan.Records) // epochs that have used a record
	for epoch := 0; epoch*v.perEpoch < steps; epoch++ {
		made := min(v.perEpoch, steps-epoch*v.perEpoch)
		if err := useAll(plan, epoch, made, seen); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("each of %d exactly once in each of %d epochs of %d steps", plan.Records, steps/v.perEpoch, v.perEpoch), nil
}

// useAll counts the records that the first steps of an epoch use.
func useAll(plan shard.Plan, epoch, steps int, seen []int32) error {
	order := plan.Epoch(epoch)
	used := 0
	var rows []int
	for step := range steps {
		for m := range plan.Micro {
			rows = order.Slice(rows, step, m)
			used += len(rows)
			for _, r := range rows {
				if seen[r]++; seen[r] != int32(epoch+1) {
					return fmt.Errorf("record %d is used twice in epoch %d, or not in one before", r, epoch)
				}
			}
		}
	}
	if steps == plan.StepsPerEpoch() && used != plan.Records {
		return fmt.Errorf("epoch %d uses %d of %d records", epoch, used, plan.Records)
	}
	return nil
}
