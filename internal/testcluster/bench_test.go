package testcluster

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// figure is a line of `lockstep bench allreduce`.
type figure struct {
	Values      int     `json:"values"`
	World       int     `json:"world"`
	Algorithm   string  `json:"algorithm"`
	Seconds     float64 `json:"seconds"`
	WireRatio   float64 `json:"wire_ratio"`
	TCPSeconds  float64 `json:"tcp_seconds"`
	BytesPerSec float64 `json:"bus_bytes_per_second"`
}

func benchAllReduce(t *testing.T, args ...string) []figure {
	t.Helper()
	args = append([]string{"bench", "allreduce", "--values", "10,30000,100003", "--repeats", "2", "-o", "json"}, args...)
	cmd := exec.Command(Binary(t, "lockstep"), args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr.String())
	}
	var got []figure
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return got
}

func checkFigures(t *testing.T, got []figure, world int, algorithms ...string) {
	t.Helper()
	if len(got) != 3 {
		t.Fatalf("%d figures", len(got))
	}
	for i, f := range got {
		if f.World != world || f.Algorithm != algorithms[i] || f.Seconds <= 0 || f.TCPSeconds <= 0 || f.BytesPerSec <= 0 || f.WireRatio <= 0 {
			t.Errorf("%+v, want a world of %d and algorithm %s", f, world, algorithms[i])
		}
	}
}

func TestBenchBetweenProcesses(t *testing.T) {
	for _, transport := range []string{"memory", "unix", "tcp", "grpc"} {
		checkFigures(t, benchAllReduce(t, "--transport", transport), 2, "direct", "ring", "ring")
	}
	checkFigures(t, benchAllReduce(t, "--world", "3", "--algorithm", "doubling"), 3, "doubling", "ring", "ring")
	got := benchAllReduce(t, "--mode", "float32")
	checkFigures(t, got, 2, "doubling", "ring", "ring")
	if r := got[2].WireRatio; r < 1 || r > 1.01 {
		t.Errorf("float32 sums take %.3f of a float32 ring's bytes", r)
	}
}

func TestBenchBetweenWorkers(t *testing.T) {
	c := Start(t, Options{Coordinators: 1, Workers: 3})
	c.WaitWorkers(3)
	checkFigures(t, benchAllReduce(t, "--addr", c.Addresses()[0]), 3, "direct", "ring", "ring")
	id := c.Submit(digits(t, "spec.parallelism.workers", "{min: 3, max: 3}", "spec.training.epochs", "10000"))
	c.WaitStep(id, 1)
	cmd := exec.Command(Binary(t, "lockstep"), "bench", "allreduce", "--addr", c.Addresses()[0])
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "are idle") {
		t.Errorf("workers with a job were measured: %v\n%s", err, out)
	}
}
