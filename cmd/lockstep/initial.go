package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/console"
	"lockstep/internal/spec"
)

// initialTimeout is how long a submission may take that brings or reads weights.
const initialTimeout = 10 * time.Minute

// initialFile is the file whose weights the job begins with; "" if there is none.
func (s *specText) initialFile() (string, error) {
	f := s.job.Spec.InitFrom
	if f == nil || f.File == "" {
		return "", nil
	}
	path, ok := spec.LocalPath(f.File)
	if !ok {
		return "", exitErrorf(codeUsage, "init_from.file: %s is not a file of this machine: fetch it first", f.File)
	}
	return path, nil
}

// pinFile writes the digest of the file with the initial weights into the specification, if there is such a file.
func (s *specText) pinFile() error {
	path, err := s.initialFile()
	if err != nil || path == "" {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return exitErrorf(codeUsage, "init_from.file: %w", err)
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return fmt.Errorf("init_from.file: %w", err)
	}
	digest, f := "sha256:"+hex.EncodeToString(sum.Sum(nil)), s.job.Spec.InitFrom
	if f.Digest != "" && f.Digest != digest {
		return exitErrorf(codeUsage, "init_from.file: %s has the digest %s, the specification wants %s", path, digest, f.Digest)
	}
	f.Digest = digest
	return nil
}

// bring gives the coordinators the file with the initial weights; nil if there is none.
func (s *specText) bring(ctx context.Context, c *client.Client) (*lockstepv1.Checkpoint, error) {
	path, err := s.initialFile()
	if err != nil || path == "" {
		return nil, err
	}
	if err := s.pinFile(); err != nil {
		return nil, err
	}
	k, err := c.PutFile(ctx, path)
	return k, answer(err)
}

// gives reports whether a job of the cluster gives the result that a specification asks for. Weights of another job that
// are not pinned yet are taken to be those that it began with.
func gives(j *lockstepv1.Job, s *spec.Job) bool {
	if f := s.Spec.InitFrom; f != nil && f.Digest == "" && f.Checkpoint != "" {
		if theirs, err := spec.FromCanonical(j.Spec); err == nil && theirs.Spec.InitFrom != nil && theirs.Spec.InitFrom.Checkpoint == f.Checkpoint {
			pinned, from := *s, *f
			from.Digest, pinned.Spec.InitFrom = theirs.Spec.InitFrom.Digest, &from
			s = &pinned
		}
	}
	hash := s.Hash()
	return j.Name == s.Metadata.Name && bytes.Equal(j.SpecHash, hash[:])
}

// showNotices shows what workers tell of the weights that a job begins with, until ctx ends.
func (a *app) showNotices(ctx context.Context, c *client.Client, j *lockstepv1.Job, bar *console.Progress) {
	if j.GetInitial() == nil {
		return
	}
	stream, err := c.WatchEvents(ctx, &lockstepv1.WatchEventsRequest{Job: j.Id, Follow: true})
	if err != nil {
		return
	}
	for {
		e, err := stream.Recv()
		if err != nil {
			return // it is news, not a result: "lockstep job events" has it, too
		}
		var data struct{ Reason string }
		if e.Type == "lockstep.job.notice" && json.Unmarshal(e.Data, &data) == nil {
			bar.Note(j.Name + ": " + data.Reason)
		}
	}
}
