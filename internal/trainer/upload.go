package trainer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ckpt"
)

// chunkSize is the size of a checkpoint's chunks, in bytes.
const chunkSize = ckpt.ChunkSize

// uploader stores checkpoints behind the steps, from a copy of the state that is taken between two of them. All
// members hold the same bytes: each uploads its part, and the first one commits.
type uploader struct {
	s      *session
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{} // closed when nothing is under way; nil: nothing ever was
	err    error         // how the last one ended; valid when done is closed
	mu     sync.Mutex
	next   []checkpoint // wait for the one under way, oldest first; under mu
	active bool         // something is under way; under mu
}

// newUploader takes up what the generation before left undone.
func newUploader(s *session) *uploader {
	u := &uploader{s: s}
	u.ctx, u.cancel = context.WithCancel(s.ctx)
	if left := s.task.unsaved; len(left) > 0 {
		s.task.unsaved, u.next = nil, left[1:]
		u.start(left[0])
	}
	return u
}

// close ends what is under way, and leaves it to the next generation.
func (u *uploader) close() {
	u.cancel()
	u.settle()
	u.s.task.unsaved = u.next
}

func (u *uploader) settle() {
	if u.done != nil {
		<-u.done
	}
}

// begin stores a checkpoint of the state. If one is under way, which may take long where coordinators are down, it
// waits for its turn, and the steps do not; where there is no memory for more, the newest takes the place of the one before.
func (u *uploader) begin(st *state) {
	u.mu.Lock()
	defer u.mu.Unlock()
	t := u.s.task
	if n := len(u.next); u.active && n > 0 && (n+1)*t.net.Size()*bytesPerParameter > waitingBytes {
		t.release(u.next[n-1])
		u.next = u.next[:n-1]
	}
	c := t.copied(st)
	if u.active {
		u.next = append(u.next, c)
		return
	}
	u.start(c)
}

func (u *uploader) start(c checkpoint) {
	u.active = true
	u.done = make(chan struct{})
	go u.storeAll(c, u.done)
}

const (
	waitingBytes      = 64 << 20 // that checkpoints which wait may take, about; one may always wait
	bytesPerParameter = 12       // with an optimizer's state
)

// storeAll stores a checkpoint, and those that came in the meantime.
func (u *uploader) storeAll(c checkpoint, done chan struct{}) {
	defer close(done)
	for more := true; more; c, more = u.following(c) {
		begin := time.Now()
		u.err = u.traced(c.State)
		u.s.meter.kept(time.Since(begin), u.err)
		if u.err != nil && u.ctx.Err() != nil {
			u.undone(c)
			return
		}
		if u.err != nil {
			u.alert(fmt.Sprintf("checkpoint of step %d was not stored: %v", c.Step, u.err))
		}
	}
}

// following lets go of a checkpoint, and returns the one that has waited longest, if there is one.
func (u *uploader) following(done checkpoint) (next checkpoint, more bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.s.task.release(done)
	if u.active = len(u.next) > 0; u.active {
		next, u.next = u.next[0], u.next[1:]
	}
	return next, u.active
}

// undone puts a checkpoint that was not stored back at the head of those that wait.
func (u *uploader) undone(c checkpoint) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.next = append([]checkpoint{c}, u.next...)
}

// wait returns how the checkpoint under way, or the last one, ended.
func (u *uploader) wait(ctx context.Context) error {
	if u.done == nil {
		return errors.New("no checkpoint is under way")
	}
	select {
	case <-u.done:
		return u.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// alert tells the users of a job what they should know.
func (u *uploader) alert(reason string) {
	u.s.log.Warn("alert", "reason", reason)
	if u.s.rank != 0 {
		return
	}
	u.s.send("alert", func(ctx context.Context) error {
		_, err := u.s.w.client.Alert(ctx, &lockstepv1.AlertRequest{Job: u.s.jobID, Reason: reason})
		return err
	})
}

// traced is store under a span.
func (u *uploader) traced(c *ckpt.State) error {
	ctx, span := u.s.span(u.ctx, "checkpoint", attribute.Int64("lockstep.step", int64(c.Step)))
	err := u.store(ctx, c)
	end(span, err)
	return err
}

// store uploads this member's chunks, and as the first member commits the checkpoint.
func (u *uploader) store(ctx context.Context, c *ckpt.State) error {
	body, err := ckpt.NewReader(c)
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	m, err := ckpt.BuildManifest(body, body.Size())
	if err != nil {
		return fmt.Errorf("cut state into chunks: %w", err)
	}
	var mine []int
	for i := u.s.rank; i < len(m.Chunks); i += len(u.s.members) {
		mine = append(mine, i)
	}
	if err := u.put(ctx, body.ReadAt, m, mine); err != nil {
		return err
	}
	if u.s.rank != 0 {
		return nil
	}
	return u.commit(ctx, c, m, body.ReadAt)
}

// put uploads chunks.
func (u *uploader) put(ctx context.Context, readAt func([]byte, int64) (int, error), m ckpt.Manifest, which []int) error {
	for _, i := range which {
		off := int64(i) * chunkSize
		data := make([]byte, min(chunkSize, m.Size-off))
		if _, err := readAt(data, off); err != nil {
			return fmt.Errorf("read chunk: %w", err)
		}
		call, cancel := context.WithTimeout(ctx, putTimeout)
		_, err := u.s.w.client.PutChunk(call, &lockstepv1.PutChunkRequest{Data: data})
		cancel()
		if err != nil {
			return fmt.Errorf("store chunk: %w", err)
		}
		u.s.meter.checkpointBytes.Add(float64(len(data)))
	}
	return nil
}

const (
	putTimeout    = 30 * time.Second
	othersTimeout = 5 * time.Second // how long the first member waits for the others' chunks before it sends them itself
	othersPoll    = 30 * time.Millisecond
)

// commit makes the checkpoint exist. Chunks that another member should have brought, and has not, are sent from here.
func (u *uploader) commit(ctx context.Context, c *ckpt.State, m ckpt.Manifest, readAt func([]byte, int64) (int, error)) error {
	r := &lockstepv1.ReportCheckpointRequest{Job: u.s.jobID, Generation: u.s.generation, Checkpoint: &lockstepv1.Checkpoint{
		Id: fmt.Sprintf("%s@%d", u.s.jobID, c.Step), Step: c.Step, Epoch: uint32(c.Epoch), Size: m.Size, Root: m.Root[:]}}
	r.Checkpoint.Metrics = u.s.task.figures(c)
	for _, h := range m.Chunks {
		r.Checkpoint.Chunks = append(r.Checkpoint.Chunks, h[:])
	}
	for begin := time.Now(); ; {
		reply, err := u.s.w.client.ReportCheckpoint(ctx, r)
		if err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		if len(reply.Missing) == 0 {
			return nil
		}
		if time.Since(begin) > othersTimeout {
			if err := u.put(ctx, readAt, m, indices(reply.Missing)); err != nil {
				return err
			}
		}
		if !pause(ctx, othersPoll) {
			return context.Cause(ctx)
		}
	}
}

func indices(missing []uint32) []int {
	out := make([]int, len(missing))
	for i, v := range missing {
		out[i] = int(v)
	}
	return out
}

// committed reports whether a checkpoint of the state's step exists.
func (s *session) committed(st *state) bool {
	j, _ := s.latest()
	if n := len(j.Checkpoints); n > 0 && j.Checkpoints[n-1].Step >= uint64(st.step()) {
		return true
	}
	return s.uploads.done != nil && s.uploads.wait(s.ctx) == nil
}

// justBest reports whether a checkpoint is to be kept because the state was just found to be the best so far.
func (t *task) justBest(st *state) bool {
	return t.spec.Checkpoint.KeepBest > 0 && t.due(st) && st.best.seen && st.best.bad == 0
}

// figures are the metrics of a checkpoint, if they were measured where it was made.
func (t *task) figures(c *ckpt.State) []*lockstepv1.Value {
	over := int(c.Step) >= t.total
	m := map[string]float64{}
	for _, x := range c.Ints {
		over = over || x.Name == "best/stopped" && x.Value != 0
	}
	if !over && !t.hits(t.spec.Training.EvalEvery, int(c.Step)) {
		return nil
	}
	for _, x := range c.Floats {
		if name, ok := strings.CutPrefix(x.Name, metricPrefix); ok {
			m[name] = x.Value
		}
	}
	return values(m)
}

// keep stores a checkpoint if one is due, or the state is the best so far, and none of this step was committed, by an earlier generation, say. Before,
// the members compare all of their states.
func (s *session) keep(st *state) error {
	if t := s.task; !t.finished(st) && !t.hits(t.spec.Checkpoint.Every, st.step()) && !t.justBest(st) {
		return nil
	}
	if err := s.agree(st); err != nil {
		return err
	}
	j, _ := s.latest()
	if n := len(j.Checkpoints); n == 0 || j.Checkpoints[n-1].Step < uint64(st.step()) {
		s.uploads.begin(st)
	}
	return nil
}

// checkpointError is a committed checkpoint that this worker cannot load.
type checkpointError struct {
	id  string
	err error
}

func (e *checkpointError) Error() string { return fmt.Sprintf("checkpoint %s: %v", e.id, e.err) }
func (e *checkpointError) Unwrap() error { return e.err }

// unreadable reports whether it seems that nobody can load it.
func (e *checkpointError) unreadable() bool {
	code := status.Code(e.err)
	return errors.Is(e.err, ckpt.ErrCorrupt) || code == codes.NotFound || code == codes.DataLoss
}

// restore loads a committed checkpoint.
func (s *session) restore(id string) error {
	j, _ := s.latest()
	for _, c := range j.Checkpoints {
		if c.Id != id {
			continue
		}
		m, err := ckpt.ManifestFrom(c.Size, c.Chunks, c.Root)
		if err != nil {
			return fmt.Errorf("checkpoint %s: %w", id, err)
		}
		st, err := s.load(m)
		if err != nil {
			return &checkpointError{id, err}
		}
		s.log.Info("state restored", "checkpoint", id, "step", st.step())
		s.task.replace(st)
		return nil
	}
	return fmt.Errorf("checkpoint %s is not known", id)
}

func (s *session) load(m ckpt.Manifest) (*state, error) {
	r, err := ckpt.NewChunkReader(s.ctx, m, func(ctx context.Context, h ckpt.Hash) ([]byte, error) {
		reply, err := s.w.client.GetChunk(ctx, &lockstepv1.GetChunkRequest{Hash: h[:]})
		return reply.GetData(), err
	})
	if err != nil {
		return nil, err
	}
	c, err := ckpt.Decode(r)
	if err != nil {
		return nil, err
	}
	return s.task.decode(c)
}
