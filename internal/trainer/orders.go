package trainer

import (
	"sync"

	"lockstep/internal/shard"
)

// orders are the record orders of a job's epochs. Making one takes time, in proportion to the shards, so two are kept: that
// of the steps' epoch, and that of the one that records are fetched for ahead of them.
type orders [2]struct {
	mu    sync.Mutex
	order *shard.Order // of an epoch of this parity, nil: none yet; under mu
	epoch int          // likewise
}

// of returns the order of an epoch. It is safe for concurrent use.
func (o *orders) of(plan shard.Plan, epoch int) *shard.Order {
	kept := &o[epoch%2]
	kept.mu.Lock()
	defer kept.mu.Unlock()
	if kept.order == nil || kept.epoch != epoch {
		kept.order, kept.epoch = plan.Epoch(epoch), epoch
	}
	return kept.order
}
