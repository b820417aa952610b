package coord

import (
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ckpt"
	"lockstep/internal/job"
)

// fillEvery is how often a coordinator looks whether it has the chunks of all checkpoints and datasets. It gives the copies that are
// on their way the time to arrive.
const fillEvery = 2 * time.Second

// fillChunks fetches the chunks of committed checkpoints and datasets that are not here: of a coordinator that was away, or that has
// lost its disk.
func (n *Node) fillChunks() {
	t := time.NewTicker(fillEvery)
	defer t.Stop()
	complete := map[string]bool{} // checkpoints and datasets, by id or root
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-t.C:
		}
		complete = n.fillOnce(complete)
	}
}

// fillOnce looks through what is not known to be complete, and returns what is now.
func (n *Node) fillOnce(known map[string]bool) map[string]bool {
	var all []*lockstepv1.Checkpoint
	n.fsm.read(func(s *job.State) {
		for _, j := range s.Jobs() {
			all = append(all, job.Stored(j)...)
		}
	})
	complete := map[string]bool{}
	look := func(id string, chunks func() []ckpt.Hash) {
		if known[id] || n.fill(chunks()) {
			complete[id] = true
		}
	}
	for _, c := range all {
		look(c.Id, func() []ckpt.Hash { return hashesOf(c.Chunks) })
	}
	for _, d := range n.datasets() {
		look(string(d.Root), func() []ckpt.Hash { return n.chunksOf(d) })
	}
	return complete
}

func hashesOf(chunks [][]byte) (out []ckpt.Hash) {
	for _, b := range chunks {
		if h, err := ckpt.HashFrom(b); err == nil {
			out = append(out, h)
		}
	}
	return out
}

// fill fetches the chunks that are missing here, and reports whether all are here now.
func (n *Node) fill(chunks []ckpt.Hash) bool {
	complete := true
	for _, h := range chunks {
		if n.chunks.Has(h) {
			continue
		}
		if _, err := n.getAnywhere(n.ctx, h); err != nil || !n.chunks.Has(h) {
			complete = false
		}
	}
	return complete
}
