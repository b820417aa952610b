package coord

import (
	"sync"
	"time"

	"lockstep/internal/ckpt"
	"lockstep/internal/job"
)

// recentChunks remembers what was put or asked for lately: chunks of checkpoints that are not committed yet.
type recentChunks struct {
	mu sync.Mutex
	at map[ckpt.Hash]time.Time // under mu
}

// graceTime is how long an uncommitted chunk is kept.
const graceTime = 15 * time.Minute

func newRecentChunks() *recentChunks { return &recentChunks{at: map[ckpt.Hash]time.Time{}} }

func (r *recentChunks) add(h ckpt.Hash) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at[h] = time.Now()
}

// fresh returns those within the grace time, and forgets the others.
func (r *recentChunks) fresh(now time.Time) map[ckpt.Hash]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[ckpt.Hash]bool{}
	for h, t := range r.at {
		if now.Sub(t) > graceTime {
			delete(r.at, h)
			continue
		}
		out[h] = true
	}
	return out
}

// collectChunks removes, now and then, the chunks that no checkpoint and no dataset refers to. A coordinator that has just started
// waits a grace time: it does not know which chunks are about to be committed.
func (n *Node) collectChunks() {
	t := time.NewTicker(graceTime)
	defer t.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case now := <-t.C:
			n.collectOnce(now)
		}
	}
}

func (n *Node) collectOnce(now time.Time) {
	keep := n.recent.fresh(now)
	n.fsm.read(func(s *job.State) {
		for _, j := range s.Jobs() {
			for _, c := range job.Stored(j) {
				for _, b := range c.Chunks {
					if h, err := ckpt.HashFrom(b); err == nil {
						keep[h] = true
					}
				}
			}
		}
	})
	for _, d := range n.datasets() {
		for _, h := range n.chunksOf(d) {
			keep[h] = true
		}
	}
	removed, freed, err := n.chunks.Collect(n.ctx, func(h ckpt.Hash) bool { return keep[h] })
	if err != nil {
		n.log.Warn("chunks were not collected", "error", err)
		return
	}
	n.log.Debug("chunks collected", "removed", removed, "bytes", freed)
	n.compactChunks()
}

// worthCompacting is how much of the chunks' file must be free for it to be written anew, beside half of it.
const worthCompacting = 64 << 20

// compactChunks gives the disk back what deleted chunks took, once that is most of the file.
func (n *Node) compactChunks() {
	st, err := n.chunks.Stats(n.ctx)
	if err == nil && st.FreeBytes >= worthCompacting && st.FreeBytes >= st.FileBytes/2 {
		err = n.chunks.Compact(n.ctx)
	}
	if err != nil {
		n.log.Warn("the chunks' file was not compacted", "error", err)
	}
}
