package grpclink_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"lockstep/internal/fixed"
	"lockstep/internal/ring"
	"lockstep/internal/ring/grpclink"
)

// The benchmarks run two processes: the peer is this binary, started again with
// peerEnv set to "kind values address", which answers until it is killed.
const peerEnv = "LOCKSTEP_BENCH_PEER"

// tempDir is for files that tests share.
var tempDir string

func TestMain(m *testing.M) {
	if v := os.Getenv(peerEnv); v != "" {
		runPeer(v)
		return
	}
	var err error
	if tempDir, err = os.MkdirTemp("", "grpclink-test-"); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(tempDir)
	for i := 0; grpclink.LiveRegions() > 0; i++ {
		if i == 1000 {
			fmt.Println("shared regions are left:", grpclink.LiveRegions())
			code = 1
			break
		}
		runtime.GC() // takes its time, no more
	}
	os.Exit(code)
}

// benchSizes are the vector lengths: 1 KB, 2.1 MB and 64 MB of float32.
var benchSizes = []struct {
	name string
	n    int
}{{"1KB", 256}, {"64KB", 16384}, {"1MB", 262144}, {"2.1MB", 535818}, {"64MB", 16 << 20}}

const benchScale = 36

// member is one of the two ends of a benchmark.
type member interface{ reduce() error }

type exactMember struct {
	r   *ring.Ring
	op  ring.Op
	g   []float32
	dst []float32
	acc []int64
}

// reduce sets acc anew where it would overflow: short vectors double each time. Of a long one the half that is sent
// stays as it is, and the other half grows by the peer's values, too slowly to matter.
func (m *exactMember) reduce() error {
	m.op.Step++
	if len(m.acc) <= 16384 {
		fixed.Accumulate(m.acc, true, benchScale, m.g)
	}
	return m.r.AllReduce(context.Background(), m.op, m.dst, m.acc, func(dst []float32, acc []int64, _ int) error {
		fixed.Float32(dst, acc, benchScale)
		return nil
	})
}

type floatMember struct {
	r  *ring.Ring
	op ring.Op
	x  []float32
}

func (m *floatMember) reduce() error {
	m.op.Step++
	return m.r.AllReduceFloat32(context.Background(), m.op, m.x)
}

func gradient(n, rank int) []float32 {
	r := rand.New(rand.NewPCG(1, uint64(rank)))
	g := make([]float32, n)
	for i := range g {
		g[i] = float32(r.NormFloat64() / 4)
	}
	return g
}

func newMember(kind string, rank int, g []float32, link ring.Link) (member, *ring.Ring) {
	r, err := ring.New(ring.Config{
		Rank: rank, World: 2, Job: "bench", Generation: 1, Link: link, Packing: fixed.Packing{},
		Timeout: func() time.Duration { return 10 * time.Second },
	})
	if err != nil {
		panic(err)
	}
	if kind == "float32" {
		return &floatMember{r: r, x: g}, r
	}
	m := &exactMember{r: r, g: g, dst: make([]float32, len(g)), acc: make([]int64, len(g))}
	fixed.Accumulate(m.acc, true, benchScale, g)
	return m, r
}

// newServer starts a server of the ring.
func newServer() (*grpclink.Server, string) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := grpclink.NewServer(nil)
	opts := grpclink.ServerOptions()
	if os.Getenv("LOCKSTEP_BENCH_STREAM") == "" {
		opts = append(opts, grpc.Creds(s.Credentials(nil)))
	}
	g := grpc.NewServer(opts...)
	s.Register(g)
	go g.Serve(lis)
	if os.Getenv("LOCKSTEP_BENCH_TCP") == "" {
		if local, err := grpclink.ListenLocal(lis.Addr().String()); err == nil {
			go g.Serve(local)
		}
	}
	return s, lis.Addr().String()
}

func openLink(s *grpclink.Server, rank int, addrs ...string) ring.Link {
	l, err := s.Open(context.Background(), grpclink.Config{Job: "bench", Generation: 1, Rank: rank, Peers: addrs})
	if err != nil {
		panic(err)
	}
	return l
}

// runPeer is the other process.
func runPeer(v string) {
	var kind, addr string
	var n int
	fmt.Sscan(v, &kind, &n, &addr)
	g := gradient(n, 1)
	var m member
	if kind == "tcp" {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		fmt.Println(lis.Addr())
		c, err := lis.Accept()
		if err != nil {
			panic(err)
		}
		m = newBare(1, g, c)
	} else {
		s, own := newServer()
		fmt.Println(own)
		m, _ = newMember(kind, 1, g, openLink(s, 1, addr, own))
	}
	for m.reduce() == nil {
	}
}

// startPeer starts the other process and returns the address that it prints.
func startPeer(b testing.TB, kind string, n int, addr string) (string, int) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), peerEnv+"="+strings.Join([]string{kind, strconv.Itoa(n), addr}, " "))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line), cmd.Process.Pid
}

// cpuTime returns the processor time of a process in seconds.
func cpuTime(pid int) float64 {
	var ns float64
	if tasks, e := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid)); e == nil {
		for _, t := range tasks {
			var v float64
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, t.Name()))
			if err == nil {
				fmt.Sscan(string(b), &v)
				ns += v
			}
		}
	}
	return ns / 1e9
}

// BenchmarkAllReduce measures the exact and the float32 all-reduce of two processes over
// gRPC, and the bare ring over TCP.
func BenchmarkAllReduce(b *testing.B) {
	for _, size := range benchSizes {
		for _, kind := range []string{"exact", "float32", "tcp"} {
			b.Run(size.name+"/"+kind, func(b *testing.B) { benchPair(b, kind, size.n) })
		}
	}
}

func benchPair(b *testing.B, kind string, n int) {
	g := gradient(n, 0)
	var m member
	var r *ring.Ring
	var peer int
	if kind == "tcp" {
		var addr string
		addr, peer = startPeer(b, kind, n, "-")
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		m = newBare(0, g, c)
	} else {
		s, own := newServer()
		var addr string
		addr, peer = startPeer(b, kind, n, own)
		link := openLink(s, 0, own, addr)
		b.Cleanup(func() { link.Close() })
		m, r = newMember(kind, 0, g, link)
	}
	for range 5 {
		if err := m.reduce(); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(4 * n))
	b.ReportAllocs()
	before := cpuTime(os.Getpid()) + cpuTime(peer)
	b.ResetTimer()
	for range b.N {
		if err := m.reduce(); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric((cpuTime(os.Getpid())+cpuTime(peer)-before)*1e6/float64(b.N), "cpu-us/op")
	if r != nil {
		st := r.Stats()
		b.ReportMetric(float64(st.BytesSent)/float64(st.FloatRingBytes), "wire/float32")
		b.ReportMetric(float64(st.FramesSent)/float64(st.Operations), "frames/op")
	}
}
