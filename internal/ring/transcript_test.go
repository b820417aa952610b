package ring_test

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"lockstep/internal/fixed"
	"lockstep/internal/ring"
	"lockstep/internal/ring/memlink"
	"lockstep/internal/ring/ringtest"
)

var rewrite = flag.Bool("rewrite", false, "write the transcripts anew")

// listener notes what a member sends.
type listener struct {
	ring.Link
	mu  sync.Mutex
	log strings.Builder
}

func (l *listener) Send(ctx context.Context, to int, f *ring.Frame) error {
	b, le := f.Parts[0], binary.LittleEndian
	kinds := []string{"?", "sums", "floats", "words", "waiting", "halves"}
	l.mu.Lock()
	fmt.Fprintf(&l.log, "  to %d  round %2d  %-6s values %d..%d\n", to, le.Uint16(b[60:]), kinds[b[58]],
		le.Uint64(b[40:]), le.Uint64(b[40:])+uint64(le.Uint32(b[48:])))
	l.mu.Unlock()
	return l.Link.Send(ctx, to, f)
}

// TestTranscripts compares what every member sends, in order, with what it sent when the
// transcript was written (go test -rewrite).
func TestTranscripts(t *testing.T) {
	for _, c := range []struct {
		name      string
		world, n  int
		segment   int
		algorithm ring.Algorithm
	}{
		{"around", 4, 20, 3, ring.Around}, {"direct", 3, 5, 5, ring.Direct}, {"doubling", 6, 5, 5, ring.Doubling},
	} {
		t.Run(c.name, func(t *testing.T) {
			rings, ears := make([]*ring.Ring, c.world), make([]*listener, c.world)
			for i, l := range memlink.New(c.world, 0) {
				ears[i] = &listener{Link: l}
				r, err := ring.New(ring.Config{
					Rank: i, World: c.world, Link: ears[i], Packing: fixed.Packing{}, SegmentLen: c.segment,
					Algorithm: c.algorithm, Timeout: func() time.Duration { return time.Minute },
				})
				if err != nil {
					t.Fatal(err)
				}
				rings[i] = r
			}
			ringtest.Exchange(t, rings, ring.Op{}, c.n)
			var got strings.Builder
			for i, e := range ears {
				fmt.Fprintf(&got, "member %d\n%s", i, e.log.String())
			}
			file := "testdata/" + c.name + ".txt"
			if *rewrite {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got.String(), want)
			}
		})
	}
}
