package coord

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/job"
)

// fsm is the state machine as raft drives it, with a way to wait for changes.
type fsm struct {
	mu      sync.RWMutex
	state   *job.State    // under mu
	changed chan struct{} // under mu; closed and replaced after every change
}

func newFSM() *fsm { return &fsm{state: job.New(), changed: make(chan struct{})} }

// Apply implements raft.FSM. The response is a *lockstepv1.Result.
func (f *fsm) Apply(l *raft.Log) any {
	var c lockstepv1.Command
	if err := proto.Unmarshal(l.Data, &c); err != nil {
		panic(fmt.Sprintf("coord: log entry %d is not a command: %v", l.Index, err))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.state.Apply(l.Index, &c)
	f.notify()
	return r
}

// notify wakes those who wait for a change. REQUIRES: f.mu held for writing.
func (f *fsm) notify() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// read calls fn with the state, which fn must not keep (its records it may), and returns a channel that is closed
// at the next change.
func (f *fsm) read(fn func(*job.State)) <-chan struct{} {
	f.mu.RLock()
	defer f.mu.RUnlock()
	fn(f.state)
	return f.changed
}

// waitIndex returns once the command at index is applied here.
func (f *fsm) waitIndex(ctx context.Context, index uint64) error {
	for {
		var applied uint64
		changed := f.read(func(s *job.State) { applied = s.Index() })
		if applied >= index {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Snapshot implements raft.FSM.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return snapshot{f.state.Clone()}, nil
}

// Restore implements raft.FSM.
func (f *fsm) Restore(r io.ReadCloser) error {
	defer r.Close()
	s, err := job.ReadSnapshot(r)
	if err != nil {
		return fmt.Errorf("restore state: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = s
	f.notify()
	return nil
}

type snapshot struct{ state *job.State }

// Persist implements raft.FSMSnapshot.
func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if err := s.state.WriteSnapshot(sink); err != nil {
		return fmt.Errorf("persist state: %w", joinCancel(err, sink))
	}
	return sink.Close()
}

func joinCancel(err error, sink raft.SnapshotSink) error {
	if cerr := sink.Cancel(); cerr != nil {
		return fmt.Errorf("%w (and cancel: %w)", err, cerr)
	}
	return err
}

// Release implements raft.FSMSnapshot.
func (snapshot) Release() {}
