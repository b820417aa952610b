package trainer

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"lockstep/internal/shard"
)

// fetchAhead is how many steps' records are brought into memory ahead of the one under way.
const fetchAhead = 4

// prefetch reads the records of the next steps, where they are larger than memory, while a step computes. One that is
// still under way is left to itself: the step then reads what it needs.
type prefetch struct {
	active atomic.Bool
	done   sync.WaitGroup
}

// begin fetches for the steps after the one that the state is about to make.
func (p *prefetch) begin(s *session, st *state) {
	t := s.task
	if t.data.InMemory() || !p.active.CompareAndSwap(false, true) {
		return
	}
	member := s.members[s.rank]
	first := st.step()
	p.done.Go(func() {
		defer p.active.Store(false)
		var rows []int
		for m := int(member.SegmentFrom); m < int(member.SegmentTo); m++ { // one segment after the other: its records lie together, in a shard
			for step := first; step < min(first+fetchAhead, t.total) && s.ctx.Err() == nil; step++ {
				epoch, at := shard.Locate(uint64(step), t.perEpoch)
				rows = t.epochOrder(epoch).Slice(rows, at, m)
				t.data.Split("train").Prefetch(rows, epoch)
			}
		}
	})
}

func (p *prefetch) wait() { p.done.Wait() }

// close frees the job's data.
func (t *task) close(log *slog.Logger) {
	if t.data == nil {
		return
	}
	if err := t.data.Close(); err != nil {
		log.Warn("data was not closed", "job", t.id, "error", err)
	}
}
