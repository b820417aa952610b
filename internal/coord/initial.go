package coord

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/artifact"
	"lockstep/internal/ckpt"
	"lockstep/internal/export"
	"lockstep/internal/job"
	"lockstep/internal/spec"
)

// pin resolves init_from to weights that never change, a stored safetensors file, and writes its digest into the
// specification: the result of a job is a function of its specification, data and seed.
func (n *Node) pin(ctx context.Context, s *spec.Job, given *lockstepv1.Checkpoint) (*lockstepv1.Checkpoint, error) {
	f := s.Spec.InitFrom
	switch {
	case f == nil:
		return nil, nil
	case f.File != "" && given == nil:
		return nil, status.Error(codes.InvalidArgument, "init_from.file: the coordinators cannot read it; submit the job with \"lockstep job submit\", which brings the file along")
	}
	var err error
	if f.File == "" {
		given, err = n.weightsOf(ctx, f.Checkpoint)
	} else {
		err = n.checkWeights(ctx, given)
	}
	if err != nil {
		return nil, err
	}
	if f.Digest != "" && f.Digest != given.Id {
		return nil, status.Errorf(codes.InvalidArgument, "init_from: the weights have the digest %s, the specification wants %s", given.Id, f.Digest)
	}
	f.Digest = given.Id
	return given, nil
}

// weightsOf stores the weights that JOB or JOB@WHICH names as a canonical safetensors file. JOB is the model of a job,
// as it would be exported.
func (n *Node) weightsOf(ctx context.Context, name string) (*lockstepv1.Checkpoint, error) {
	of, which, parameters := name, job.Last, false
	if i := strings.LastIndexByte(name, '@'); i >= 0 {
		of, which, parameters = name[:i], name[i+1:], true
	}
	j, err := n.find(of)
	if err != nil {
		return nil, status.Errorf(codes.NotFound, "init_from.checkpoint: there is no job %q", of)
	}
	k, err := job.FindCheckpoint(j, which)
	if err != nil {
		return nil, status.Errorf(codes.NotFound, "init_from.checkpoint: %v", err)
	}
	s, err := n.state(ctx, k)
	if err != nil {
		return nil, status.Errorf(codes.FailedPrecondition, "init_from.checkpoint: read checkpoint %s: %v", k.Id, err)
	}
	tensors := artifact.Tensors(s)
	if parameters {
		tensors = artifact.LastTensors(s)
	}
	var file bytes.Buffer
	if err := export.WriteSafetensors(&file, tensors); err != nil {
		return nil, status.Errorf(codes.Internal, "init_from.checkpoint: %v", err)
	}
	return n.storeFile(ctx, file.Bytes())
}

// state reads the training state in a checkpoint, mending what it can on the way.
func (n *Node) state(ctx context.Context, c *lockstepv1.Checkpoint) (*ckpt.State, error) {
	r, err := n.chunkReader(ctx, c)
	if err != nil {
		return nil, err
	}
	return ckpt.Decode(r)
}

func (n *Node) chunkReader(ctx context.Context, c *lockstepv1.Checkpoint) (io.Reader, error) {
	m, err := ckpt.ManifestFrom(c.Size, c.Chunks, c.Root)
	if err != nil {
		return nil, err
	}
	return ckpt.NewChunkReader(ctx, m, n.getAnywhere)
}

// storeFile stores a file in chunks on a majority of the coordinators.
func (n *Node) storeFile(ctx context.Context, file []byte) (*lockstepv1.Checkpoint, error) {
	m, err := ckpt.BuildManifest(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	out := &lockstepv1.Checkpoint{Id: digestOf(file), Size: m.Size, Root: m.Root[:]}
	for i, span := range ckpt.Split(m.Size, ckpt.ChunkSize) {
		r := &lockstepv1.PutChunkRequest{Data: file[span.Off : span.Off+int64(span.Len)]}
		if _, err := (&chunksServer{Node: n}).PutChunk(ctx, r); err != nil {
			return nil, err
		}
		out.Chunks = append(out.Chunks, m.Chunks[i][:])
	}
	return out, nil
}

func digestOf(file []byte) string {
	sum := sha256.Sum256(file)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// checkWeights reads a file that a client has stored: it is what its digest says, on a majority, and safetensors.
func (n *Node) checkWeights(ctx context.Context, k *lockstepv1.Checkpoint) error {
	if err := validManifest(k); err != nil {
		return err
	}
	missing, err := n.missing(ctx, k.Chunks)
	if err != nil || len(missing) > 0 {
		return status.Errorf(codes.Unavailable, "init_from.file: %d of its chunks are not on a majority of the coordinators", len(missing))
	}
	r, err := n.chunkReader(ctx, k)
	if err != nil {
		return status.Errorf(codes.InvalidArgument, "init_from.file: %v", err)
	}
	sum := sha256.New()
	if _, err := export.ReadSafetensors(io.TeeReader(r, sum)); err != nil {
		return status.Errorf(codes.InvalidArgument, "init_from.file: %v", err)
	}
	if d := "sha256:" + hex.EncodeToString(sum.Sum(nil)); d != k.Id {
		return status.Errorf(codes.InvalidArgument, "init_from.file: its digest is %s, not %s", d, k.Id)
	}
	return nil
}
