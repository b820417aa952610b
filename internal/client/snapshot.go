package client

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	gohash "hash"
	"io"

	"google.golang.org/protobuf/encoding/protodelim"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ckpt"
	"lockstep/internal/job"
	"lockstep/internal/manifest"
)

// A snapshot of a cluster:
//
//	+-------------------------+---------------------------+-------+--------+
//	| "lockstep-snapshot 1\n" | chunk, chunk, ...         | state | sha256 |   pieces, each with a varint length before it
//	+-------------------------+---------------------------+-------+--------+
//
// The chunks are those of all committed checkpoints and datasets in the state; sha256 is of all bytes before its piece.
const snapshotHeader = "lockstep-snapshot 1\n"

const maxPiece = 64 << 20

// ErrSnapshot marks a file that is no snapshot of a cluster, or a damaged one.
var ErrSnapshot = errors.New("not a readable snapshot of a cluster")

// Snapshot tells what is in a snapshot.
type Snapshot struct {
	Jobs   int    `json:"jobs"`
	Chunks int    `json:"chunks"`
	Index  uint64 `json:"index"` // raft index of the last command in it
}

// SaveSnapshot writes the cluster's state and the chunks of its checkpoints and datasets.
func (c *Client) SaveSnapshot(ctx context.Context, w io.Writer) (Snapshot, error) {
	r, err := c.SaveState(ctx, &lockstepv1.SaveStateRequest{})
	if err != nil {
		return Snapshot{}, err
	}
	info, wanted, err := contents(r.State)
	if err != nil {
		return info, err
	}
	sum := sha256.New()
	out := io.MultiWriter(w, sum)
	if _, err := io.WriteString(out, snapshotHeader); err != nil {
		return info, err
	}
	for _, h := range wanted {
		data, err := c.chunk(ctx, h)
		if err == nil && ckpt.HashOf(data) != h {
			err = ckpt.ErrCorrupt
		}
		if err != nil {
			return info, fmt.Errorf("save chunk %s: %w", h, err)
		}
		if err := put(out, &lockstepv1.SnapshotPiece{Piece: &lockstepv1.SnapshotPiece_Chunk{Chunk: data}}); err != nil {
			return info, err
		}
	}
	if err := put(out, &lockstepv1.SnapshotPiece{Piece: &lockstepv1.SnapshotPiece_State{State: r.State}}); err != nil {
		return info, err
	}
	return info, put(w, &lockstepv1.SnapshotPiece{Piece: &lockstepv1.SnapshotPiece_Sha256{Sha256: sum.Sum(nil)}})
}

func put(w io.Writer, p *lockstepv1.SnapshotPiece) error {
	_, err := protodelim.MarshalTo(w, p)
	return err
}

// contents reads a state, and lists the chunks that it needs.
func contents(state []byte) (info Snapshot, wanted []ckpt.Hash, err error) {
	s, err := job.ReadSnapshot(bytes.NewReader(state))
	if err != nil {
		return info, nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	seen := map[ckpt.Hash]bool{}
	for _, j := range s.Jobs() {
		for _, k := range job.Stored(j) {
			m, err := manifestOf(k)
			if err != nil {
				return info, nil, fmt.Errorf("%w: checkpoint %s: %w", ErrSnapshot, k.Id, err)
			}
			for _, h := range m.Chunks {
				if !seen[h] {
					seen[h] = true
					wanted = append(wanted, h)
				}
			}
		}
	}
	for _, d := range s.Datasets() {
		m, err := manifest.Decode(d.Manifest)
		if err != nil {
			return info, nil, fmt.Errorf("%w: dataset %s: %w", ErrSnapshot, d.Name, err)
		}
		for _, c := range m.Chunks {
			if h := ckpt.Hash(c.Hash); !seen[h] {
				seen[h] = true
				wanted = append(wanted, h)
			}
		}
	}
	return Snapshot{Jobs: len(s.Jobs()), Chunks: len(wanted), Index: s.Index()}, wanted, nil
}

// RestoreSnapshot puts the state of a snapshot in the place of the cluster's. Nothing is changed unless the whole file
// is good: its digest, its state, and every chunk that the state needs. Errors about it match ErrSnapshot.
func (c *Client) RestoreSnapshot(ctx context.Context, r io.ReadSeeker) (Snapshot, error) {
	has := map[ckpt.Hash]bool{}
	state, err := readPieces(r, func(chunk []byte) error {
		has[ckpt.HashOf(chunk)] = true
		return nil
	})
	if err != nil {
		return Snapshot{}, err
	}
	info, wanted, err := contents(state)
	if err != nil {
		return info, err
	}
	for _, h := range wanted {
		if !has[h] {
			return info, fmt.Errorf("%w: chunk %s is missing", ErrSnapshot, h)
		}
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return info, err
	}
	if _, err := readPieces(r, func(chunk []byte) error {
		_, err := c.PutChunk(ctx, &lockstepv1.PutChunkRequest{Data: chunk})
		return err
	}); err != nil {
		return info, fmt.Errorf("restore chunks: %w", err)
	}
	_, err = c.RestoreState(ctx, &lockstepv1.RestoreStateRequest{State: state})
	return info, err
}

// summing is a reader that hashes what is read of it.
type summing struct {
	*bufio.Reader
	sum gohash.Hash
}

func (s summing) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.sum.Write(p[:n])
	return n, err
}

func (s summing) ReadByte() (byte, error) {
	b, err := s.Reader.ReadByte()
	if err == nil {
		s.sum.Write([]byte{b})
	}
	return b, err
}

// readPieces reads a snapshot to its end and returns its state; chunk gets each chunk.
func readPieces(r io.Reader, chunk func([]byte) error) (state []byte, err error) {
	in := summing{bufio.NewReader(r), sha256.New()}
	header := make([]byte, len(snapshotHeader))
	if _, err := io.ReadFull(in, header); err != nil || string(header) != snapshotHeader {
		return nil, fmt.Errorf("%w: header %q", ErrSnapshot, header)
	}
	for {
		before := in.sum.Sum(nil)
		var p lockstepv1.SnapshotPiece
		if err := (protodelim.UnmarshalOptions{MaxSize: maxPiece}).UnmarshalFrom(in, &p); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
		}
		switch piece := p.Piece.(type) {
		case *lockstepv1.SnapshotPiece_Chunk:
			if err := chunk(piece.Chunk); err != nil {
				return nil, err
			}
		case *lockstepv1.SnapshotPiece_State:
			state = piece.State
		case *lockstepv1.SnapshotPiece_Sha256:
			if !bytes.Equal(piece.Sha256, before) {
				return nil, fmt.Errorf("%w: its digest does not fit", ErrSnapshot)
			}
			return state, nil
		default:
			return nil, fmt.Errorf("%w: unknown piece", ErrSnapshot)
		}
	}
}
