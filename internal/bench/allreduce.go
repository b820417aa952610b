package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// RingConfig says what AllReduce measures.
type RingConfig struct {
	Values    []uint // lengths of the vectors
	Exact     bool   // sums in fixed point; else float32
	Algorithm string // auto, direct, doubling or ring
	Repeats   int    // of which the medians are taken

	Credentials credentials.TransportCredentials // of calls to the members
}

// RingValues are the usual lengths: 1 KiB, 64 KiB, 1 MiB, 2.1 MB and 64 MiB of float32.
func RingValues() []uint { return []uint{256, 16384, 262144, 535818, 16777216} }

// RingFigure is what became of vectors of one length. Seconds are of one reduction, as the first member saw it.
type RingFigure struct {
	Values       uint64  `json:"values"`
	Bytes        uint64  `json:"bytes"` // as float32
	World        int     `json:"world"`
	Mode         string  `json:"mode"`
	Algorithm    string  `json:"algorithm"`
	Seconds      float64 `json:"seconds"`
	BusBandwidth float64 `json:"bus_bytes_per_second"` // of the float32 ring that would take this time
	BytesSent    uint64  `json:"bytes_sent"`           // by the first member, in all repeats
	WireRatio    float64 `json:"wire_ratio"`           // of that to a float32 ring without headers
	TCPSeconds   float64 `json:"tcp_seconds"`          // a float32 ring over bare TCP connections
	TCPRatio     float64 `json:"tcp_ratio"`            // how many times faster than that; the median of the repeats' ratios
}

// AllReduce measures the all-reduce between the members at these addresses, in ring order.
func AllReduce(ctx context.Context, members []string, c RingConfig) ([]RingFigure, error) {
	r := &lockstepv1.MeasureRingRequest{Run: runName(), Peers: members, Exact: c.Exact, Algorithm: c.Algorithm, Repeats: uint32(c.Repeats)}
	for _, n := range c.Values {
		r.Values = append(r.Values, uint64(n))
	}
	replies := make([]*lockstepv1.MeasureRingResponse, len(members))
	g, ctx := errgroup.WithContext(ctx)
	for i, address := range members {
		own := &lockstepv1.MeasureRingRequest{Run: r.Run, Rank: uint32(i), Peers: r.Peers, Values: r.Values, Exact: r.Exact,
			Algorithm: r.Algorithm, Repeats: r.Repeats}
		g.Go(func() (err error) {
			replies[i], err = c.measureAt(ctx, address, own)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []RingFigure
	for _, f := range replies[0].Figures {
		out = append(out, c.figure(f, len(members)))
	}
	return out, nil
}

// runName is a job's name that nobody has.
func runName() string {
	var b [8]byte
	rand.Read(b[:])
	return "bench/" + hex.EncodeToString(b[:])
}

func (c RingConfig) measureAt(ctx context.Context, address string, r *lockstepv1.MeasureRingRequest) (*lockstepv1.MeasureRingResponse, error) {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(c.Credentials))
	if err != nil {
		return nil, fmt.Errorf("dial member %s: %w", address, err)
	}
	defer conn.Close()
	out, err := lockstepv1.NewPeerClient(conn).MeasureRing(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("member %s: %w", address, errors.New(status.Convert(err).Message()))
	}
	return out, nil
}

// figure sums up what a member saw.
func (c RingConfig) figure(f *lockstepv1.RingFigure, world int) RingFigure {
	mode := "float32"
	if c.Exact {
		mode = "exact"
	}
	out := RingFigure{Values: f.Values, Bytes: 4 * f.Values, World: world, Mode: mode, Algorithm: f.Algorithm, BytesSent: f.BytesSent,
		Seconds: median(f.Seconds), TCPSeconds: median(f.TcpSeconds), WireRatio: float64(f.BytesSent) / float64(max(f.FloatRingBytes, 1))}
	out.BusBandwidth = 8 * float64(f.Values) * float64(world-1) / float64(world) / out.Seconds
	var ratios []float64
	for i, s := range f.Seconds {
		ratios = append(ratios, f.TcpSeconds[i]/s)
	}
	out.TCPRatio = median(ratios)
	return out
}

// median returns the one in the middle.
func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}
