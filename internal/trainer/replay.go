package trainer

import (
	"context"
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ckpt"
	"lockstep/internal/dataset"
	"lockstep/internal/export"
	"lockstep/internal/fixed"
	"lockstep/internal/ledger"
	"lockstep/internal/ring"
	"lockstep/internal/ring/memlink"
	"lockstep/internal/shard"
)

// ReplayConfig says which steps of a job to compute again.
type ReplayConfig struct {
	Spec        []byte                    // canonical specification
	Fingerprint [32]byte                  // of the dataset that the job was trained on
	Data        dataset.Options           // how its data is reached
	Begin       *ckpt.State               // nil: the initial weights
	Initial     []export.Tensor           // those of init_from
	To          uint64                    // the last step to make
	Workers     int                       // members of the ring, in this process
	Cores       int                       // of each
	Record      func(ledger.Record) error // is called with every new ledger record; an error ends the replay
	Step        func(step uint64)         // is called after every step; nil: nobody is
}

// Replay makes steps of a job in this process, as workers make them, without a cluster. Nothing is reported or stored.
func Replay(ctx context.Context, cfg ReplayConfig) error {
	tasks, err := replayTasks(ctx, cfg)
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var members []*lockstepv1.Member
	for i, r := range shard.Assign(tasks[0].plan.Micro, make([]float64, cfg.Workers)) {
		members = append(members, &lockstepv1.Member{Worker: fmt.Sprintf("replay-%d", i+1), SegmentFrom: uint32(r.From), SegmentTo: uint32(r.To)})
	}
	links := memlink.New(cfg.Workers, 0)
	var g errgroup.Group
	for i, t := range tasks {
		g.Go(func() error {
			s := &session{task: t, log: slog.New(slog.DiscardHandler), jobID: t.id, rank: i, members: members, pace: newPace(), ctx: ctx}
			s.ops, s.abort = context.WithCancelCause(ctx)
			defer s.abort(errDone)
			rc := ring.Config{Rank: i, World: len(members), Job: t.id, Packing: fixed.Packing{}, Timeout: s.pace.timeout}
			if len(members) > 1 {
				defer links[i].Close()
				rc.Link = links[i]
			}
			err := s.replay(rc, cfg)
			if err != nil {
				cancel(err) // the first failure is the one that tells
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("replay: %w", err)
	}
	return nil
}

// replayTasks opens the job once for each member, on the same data.
func replayTasks(ctx context.Context, cfg ReplayConfig) ([]*task, error) {
	first := newTask("replay")
	if err := first.open(ctx, &lockstepv1.Job{Spec: cfg.Spec}, cfg.Cores, cfg.Data); err != nil {
		return nil, err
	}
	if first.info.Fingerprint != cfg.Fingerprint {
		return nil, fmt.Errorf("the data here is not what the job was trained on: its fingerprint is %x, want %x", first.info.Fingerprint[:8], cfg.Fingerprint[:8])
	}
	tasks := []*task{first}
	for len(tasks) < cfg.Workers {
		t := newTask(first.id)
		t.spec, t.specHash, t.data, t.info, t.about = first.spec, first.specHash, first.data, first.info, first.about
		if err := t.build(cfg.Cores); err != nil {
			return nil, err
		}
		tasks = append(tasks, t)
	}
	for _, t := range tasks {
		if cfg.Begin == nil {
			if _, err := t.begin(cfg.Initial); err != nil {
				return nil, err
			}
			continue
		}
		s, err := t.decode(cfg.Begin)
		if err != nil {
			return nil, err
		}
		t.replace(s)
	}
	return tasks, nil
}

// replay is one member's part.
func (s *session) replay(rc ring.Config, cfg ReplayConfig) (err error) {
	if s.ring, err = ring.New(rc); err != nil {
		return err
	}
	for {
		st := s.task.state
		if st.position%2 == 0 {
			if err := s.between(st); err != nil {
				return err
			}
			continue
		}
		n := len(st.chain)
		s.task.enter(st)
		if s.rank == 0 && len(st.chain) > n {
			if err := cfg.Record(st.chain[n]); err != nil {
				return err
			}
		}
		if s.task.finished(st) || uint64(st.step()) >= cfg.To {
			return nil
		}
		if _, err := s.step(st); err != nil {
			return err
		}
		if s.rank == 0 && cfg.Step != nil {
			cfg.Step(uint64(st.step()))
		}
	}
}
