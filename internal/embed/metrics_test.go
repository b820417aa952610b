package embed

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
	"lockstep/internal/spec"
	"lockstep/internal/telemetry"
)

var rewrite = flag.Bool("rewrite", false, "write docs/METRICS.md from the registry")

const metricsFile = "../../docs/METRICS.md"

// TestMetrics watches a cluster by its metrics while a job runs, is cancelled, and is gone from them. Their names,
// labels and meanings are those of docs/METRICS.md, and promtool has nothing to say about them.
func TestMetrics(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	source := telemetry.Source{Pprof: true}
	source.SetDefaults()
	c, err := Start(ctx, Config{DataDir: t.TempDir(), Coordinators: 1, Workers: 2, Cores: 1, Telemetry: source})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cl, err := client.Dial(c.Addresses())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	j := submit(t, ctx, cl)

	described := describe(source.Registry)
	seen := map[string]*dto.MetricFamily{}
	for len(seen) < len(described) {
		for name, f := range gather(t, source.Registry) {
			seen[name] = f
		}
		if ctx.Err() != nil {
			t.Fatalf("never seen: %v", missing(described, seen))
		}
		<-time.After(glance)
	}
	checkText(t, fetch(t, c, "/metrics"))
	if !strings.Contains(string(fetch(t, c, "/debug/pprof/")), "goroutine") {
		t.Error("there are no profiles")
	}
	checkDocument(t, described, seen)

	if _, err := cl.CancelJob(ctx, &lockstepv1.CancelJobRequest{Job: j.Id}); err != nil {
		t.Fatal(err)
	}
	for names := jobSeries(t, source.Registry); len(names) > 0; names = jobSeries(t, source.Registry) {
		if ctx.Err() != nil {
			t.Fatalf("the job is over, and still has series of %v", names)
		}
		<-time.After(glance)
	}
}

// glance is the time between two looks at the metrics.
const glance = 20 * time.Millisecond

// submit submits a job that is long, and says and stores much.
func submit(t *testing.T, ctx context.Context, cl *client.Client) *lockstepv1.Job {
	t.Helper()
	const path = "../../examples/digits-mlp.yaml"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range [][2]string{{"spec.training.epochs", "10000"}, {"spec.checkpoint.every", "{steps: 20}"}, {"spec.training.log_every", "{steps: 1}"}} {
		if text, err = spec.Set(text, set[0], set[1]); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := spec.Parse(path, text)
	if err == nil {
		err = parsed.ResolveSource(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	j, err := cl.SubmitJob(ctx, &lockstepv1.SubmitJobRequest{RequestId: t.Name(), Spec: parsed.Canonical()})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func gather(t *testing.T, r *prometheus.Registry) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*dto.MetricFamily{}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "lockstep_") {
			out[f.GetName()] = f
		}
	}
	return out
}

// jobSeries are the metrics that have a series of some job.
func jobSeries(t *testing.T, r *prometheus.Registry) (names []string) {
	t.Helper()
	for name, f := range gather(t, r) {
		for _, m := range f.Metric {
			if slices.ContainsFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetName() == "train_job" }) {
				names = append(names, name)
				break
			}
		}
	}
	return names
}

// described is what a metric says of itself.
type described struct{ help, labels string }

var descText = regexp.MustCompile(`^Desc\{fqName: "(lockstep_[^"]*)", help: "((?:[^"\\]|\\.)*)", .*variableLabels: \{([^}]*)\}\}$`)

func describe(r *prometheus.Registry) map[string]described {
	ch := make(chan *prometheus.Desc)
	go func() {
		defer close(ch)
		r.Describe(ch)
	}()
	out := map[string]described{}
	for d := range ch {
		if m := descText.FindStringSubmatch(d.String()); m != nil {
			out[m[1]] = described{help: m[2], labels: m[3]}
		}
	}
	return out
}

func missing(want map[string]described, seen map[string]*dto.MetricFamily) (names []string) {
	for name := range want {
		if seen[name] == nil {
			names = append(names, name)
		}
	}
	return names
}

func fetch(t *testing.T, c *Cluster, path string) []byte {
	t.Helper()
	r, err := http.Get("http://" + c.HTTP() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", path, r.Status, err)
	}
	return text
}

// checkText has promtool look at what Prometheus would read.
func checkText(t *testing.T, text []byte) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("metrics are not checked by promtool, which is not here: apt-get install prometheus")
		return
	}
	cmd := exec.Command(path, "check", "metrics")
	cmd.Stdin = bytes.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

const metricsHead = `# Metrics

Every coordinator shows its metrics at ` + "`/metrics`" + ` of its HTTP address, a worker at that of its ` + "`--http`" + `, which is off by default and
` + "`0.0.0.0:8081`" + ` in deploy/compose; ` + "`lockstep up`" + ` shows those of all its parts on the first coordinator's, told apart by a label
` + "`process`" + `. Beside these there are those of the Go runtime (` + "`go_`" + `) and of the process (` + "`process_`" + `).

- What is of the whole cluster, jobs and workers among it, is in every coordinator's copy of the state: take ` + "`max by (train_job)`" + `, not a sum.
- ` + "`train_job`" + ` is a job's id. Coordinators have series of the first 256 jobs that run or recover, a worker of the one that it works
  for. They end with the job, or with the worker's part in it.
- Phases of a step add up to its duration, on the clock of one worker. Sums are reduced behind the computation of the rest; what of that
  is not hidden is ` + "`wait`" + ` and ` + "`reduce`" + `.

This file is checked against the programs: ` + "`go test ./internal/embed -run Metrics -rewrite`" + ` writes it.

| metric | type | labels | meaning |
|---|---|---|---|
`

// checkDocument compares the registry with what users read.
func checkDocument(t *testing.T, all map[string]described, seen map[string]*dto.MetricFamily) {
	t.Helper()
	var b strings.Builder
	b.WriteString(metricsHead)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		kind := strings.ToLower(seen[name].GetType().String())
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, kind, strings.ReplaceAll(all[name].labels, ",", ", "), all[name].help)
	}
	if *rewrite {
		if err := os.WriteFile(metricsFile, []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(metricsFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), b.String()); diff != "" {
		t.Errorf("docs/METRICS.md is not what the programs have (-rewrite writes it):\n%s", diff)
	}
}
