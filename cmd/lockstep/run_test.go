package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lockstep/internal/job"
)

// TestMain makes the test binary the program itself where a test asks for a process.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_RUN_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is the program in a process of its own.
type process struct {
	*started
	cmd *exec.Cmd
}

func startProcess(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{started: &started{t: t, done: make(chan error, 1)}, cmd: exec.Command(os.Args[0], args...)}
	p.cmd.Env = append(append(os.Environ(), "TEST_RUN_MAIN=1"), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		err := p.cmd.Wait()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = &exitError{exit.ExitCode(), err}
		}
		p.done <- err
	}()
	t.Cleanup(func() { p.cmd.Process.Kill() })
	return p
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// inRunFolder is a working directory with a job, and an empty directory for temporary files.
func inRunFolder(t *testing.T) (temp string) {
	t.Helper()
	noEnvironment(t)
	inFolder(t)
	temp = t.TempDir()
	t.Setenv("TMPDIR", temp)
	return temp
}

// endless is what makes the job too long to end within a test.
const endless = "training.epochs=1000000"

func checkEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("left in %s: %v, %v", dir, entries, err)
	}
}

// TestRun: one object on standard output, the model beside it with the digest in it, nothing else left behind; the
// number of workers and coordinators does not matter.
func TestRun(t *testing.T) {
	temp := inRunFolder(t)
	digests := map[string]bool{}
	for _, args := range []string{"--workers 1 --coordinators 1", "--workers 3 --output three.safetensors"} {
		r := command(t, append([]string{"run", "tiny.yaml", "-o", "json"}, strings.Fields(args)...)...)
		var v job.View
		d := json.NewDecoder(strings.NewReader(r.out))
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil || d.More() || r.code != 0 {
			t.Fatalf("exit code %d, %v\nstdout: %s\nstderr: %s", r.code, err, r.out, r.err)
		}
		if v.Name != "tiny" || v.State != "SUCCEEDED" || v.Step != 4 || v.Epoch != 2 || v.Parameters != 22 || v.Checkpoint == "" || v.Metrics["train_loss"] == 0 {
			t.Errorf("result is %+v", v)
		}
		digests[v.ModelDigest] = true
		checkEmpty(t, temp)
	}
	for _, name := range []string{"tiny.safetensors", "three.safetensors"} {
		text, err := os.ReadFile(name)
		if err != nil || !digests[sha(text)] {
			t.Errorf("%s is %s, %v; digests are %v", name, sha(text), err, digests)
		}
	}
	if len(digests) != 1 {
		t.Errorf("the number of workers matters: %v", digests)
	}
	if diff := cmp.Diff([]string{"three.safetensors", "tiny.csv", "tiny.safetensors", "tiny.yaml"}, files(t)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestRunTable is for people, and takes its flags from the environment.
func TestRunTable(t *testing.T) {
	inRunFolder(t)
	t.Setenv("LOCKSTEP_COORDINATORS", "1")
	t.Setenv("LOCKSTEP_WORKERS", "7")
	t.Setenv("LOCKSTEP_NAME", "called")
	t.Setenv("LOCKSTEP_DATA_DIR", "kept")
	r := command(t, "run", "tiny.yaml", "--workers", "2")
	r.want(t, 0, []string{"SUCCEEDED", "steps", "train_loss", "model digest", "sha256:", "called.safetensors"}, []string{"RUNNING"})
	if !regexp.MustCompile(`(?m)^workers +2$`).MatchString(r.out) {
		t.Errorf("want 2 workers:\n%s", r.out)
	}
	if _, err := os.Stat(filepath.Join("kept", logFile)); err != nil {
		t.Error(err)
	}
}

// TestRunFailed: bad data fails the job, not the program.
func TestRunFailed(t *testing.T) {
	temp := inRunFolder(t)
	write(t, "tiny.csv", strings.Replace(tinyCSV, "1,0", "1,x", 1))
	r := command(t, "run", "tiny.yaml", "--coordinators", "1", "--workers", "1")
	r.want(t, codeFailed, []string{"FAILED"}, []string{"error: job tiny-", "failed: ", "tiny.csv", "x"})
	if diff := cmp.Diff([]string{"tiny.csv", "tiny.yaml"}, files(t)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	checkEmpty(t, temp)
}

// TestRunCannotWrite finds that out before it trains.
func TestRunCannotWrite(t *testing.T) {
	temp := inRunFolder(t)
	r := command(t, "run", "tiny.yaml", "--set", endless, "--output", "no/such/folder.safetensors")
	r.want(t, codeError, nil, []string{"write model: ", "no/such"})
	checkEmpty(t, temp)
}

// TestRunInterrupted cancels the job and leaves nothing.
func TestRunInterrupted(t *testing.T) {
	temp := inRunFolder(t)
	for _, when := range []string{"PENDING", "RUNNING"} {
		p := startProcess(t, nil, "run", "tiny.yaml", "--set", endless, "--coordinators", "1", "--workers", "1")
		p.says(&p.err, when)
		p.signal(os.Interrupt)
		p.wait().want(t, codeInterrupted, nil, []string{"interrupted; the job is cancelled"})
		checkEmpty(t, temp)
	}
	if diff := cmp.Diff([]string{"tiny.csv", "tiny.yaml"}, files(t)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestSignals: the first asks the command to end, the second ends the process, and still leaves nothing.
func TestSignals(t *testing.T) {
	a := newApp(nil, nil, nil)
	t.Setenv("TMPDIR", t.TempDir())
	dir, err := a.scratch.make()
	if err != nil {
		t.Fatal(err)
	}
	signals, causes, codes := make(chan os.Signal), make(chan error), make(chan int)
	go a.obey(signals, func(cause error) { causes <- cause }, func(code int) { codes <- code })
	signals <- os.Interrupt
	if cause := <-causes; cause != errInterrupted {
		t.Errorf("the context ends with %v", cause)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("the data is gone after the first signal: %v", err)
	}
	signals <- syscall.SIGTERM
	if code := <-codes; code != codeInterrupted {
		t.Errorf("exit code %d", code)
	}
	checkEmpty(t, filepath.Dir(dir))
	if _, err := a.scratch.make(); err != errInterrupted {
		t.Errorf("a directory is made after the end: %v", err)
	}
}

// TestRunGoesOn: a job in a data directory goes on after an interrupt and after a kill, to the same bits as one that
// nobody disturbed.
func TestRunGoesOn(t *testing.T) {
	inRunFolder(t)
	args := []string{"run", "tiny.yaml", "--coordinators", "1", "--workers", "2", "--data-dir", "d", "--set", "training.epochs=1000",
		"--set", "checkpoint.every={steps: 50}", "--set", "training.log_every={steps: 10}", "-o", "json"}
	disturb := []func(p *process){
		func(p *process) { p.signal(os.Interrupt) },
		func(p *process) { p.signal(syscall.SIGKILL) },
	}
	for i, hit := range disturb {
		p := startProcess(t, nil, args...)
		if i == 0 {
			p.says(&p.err, "RUNNING")
		} else {
			p.says(&p.err, "going on with job tiny-")
		}
		hit(p)
		if r := p.wait(); r.code == 0 {
			t.Fatalf("ended before it was disturbed: %s", r.out)
		}
	}
	r := command(t, args...)
	r.want(t, 0, []string{"SUCCEEDED"}, []string{"going on with job tiny-"})
	undisturbed := command(t, append(args, "--data-dir", "other", "--output", "other.safetensors")...)
	var first, second job.View
	if err := errors.Join(json.Unmarshal([]byte(r.out), &first), json.Unmarshal([]byte(undisturbed.out), &second)); err != nil {
		t.Fatal(err)
	}
	if first.ModelDigest != second.ModelDigest || first.Generations < 2 || second.Generations != 1 {
		t.Errorf("disturbed: %+v\nundisturbed: %+v", first, second)
	}
}

// TestRunAgain: a job that is done is not gone on with, one with another specification neither.
func TestRunAgain(t *testing.T) {
	inRunFolder(t)
	args := []string{"run", "tiny.yaml", "--coordinators", "1", "--workers", "1", "--data-dir", "d", "-o", "name"}
	first, again := command(t, args...), command(t, args...)
	other := command(t, append(args, "--set", "seed=7")...)
	if first.code+again.code+other.code != 0 || first.out == again.out || again.out == other.out || first.out == other.out {
		t.Errorf("jobs are %q, %q and %q\n%s", first.out, again.out, other.out, other.err)
	}
}

// TestUp: a cluster that other commands speak to, and that remembers.
func TestUp(t *testing.T) {
	inRunFolder(t)
	state := t.TempDir()
	env := []string{"XDG_STATE_HOME=" + state}
	up := func() (*process, reachable) {
		p := startProcess(t, env, "up", "--coordinators", "1", "--workers", "2", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "-o", "json")
		p.says(&p.err, "The cluster is up")
		p.says(&p.out, "}\n")
		var at reachable
		if err := json.Unmarshal([]byte(p.out.String()), &at); err != nil {
			t.Fatalf("%v in %s", err, p.out.String())
		}
		return p, at
	}
	p, at := up()
	if want := filepath.Join(state, "lockstep", "up"); at.DataDir != want || len(at.Addresses) != 1 || !strings.HasPrefix(at.NATS, "nats://") || at.Workers != 2 {
		t.Errorf("up says %+v, want data in %s", at, want)
	}
	p.says(&p.err, "lockstep job submit examples/digits-mlp.yaml --addr "+at.Addresses[0])
	t.Setenv("LOCKSTEP_ADDR", at.Addresses[0])
	command(t, "job", "submit", "tiny.yaml").want(t, 0, []string{"SUCCEEDED"}, nil)
	command(t, "worker", "list", "-o", "name").want(t, 0, []string{"worker-1", "worker-2"}, nil)
	command(t, "cluster", "status").want(t, 0, []string{"coordinator-1", "yes"}, nil)
	command(t, "job", "events", "tiny").want(t, 0, []string{"state=PENDING", "state=SUCCEEDED", "checkpoint"}, nil)
	command(t, "model", "export", "tiny").want(t, 0, []string{"tiny.safetensors"}, nil)
	long := strings.TrimSpace(command(t, "job", "submit", "tiny.yaml", "-d", "--name", "long", "--set", endless).out)
	command(t, "job", "cancel", long).want(t, 0, []string{"CANCELLED"}, nil)
	command(t, "job", "wait", long).want(t, codeCancelled, nil, nil)
	p.signal(os.Interrupt)
	p.wait().want(t, 0, nil, []string{"stopping"})

	p, at = up()
	command(t, "job", "status", "tiny", "--addr", at.Addresses[0]).want(t, 0, []string{"SUCCEEDED"}, nil)
	p.signal(syscall.SIGTERM)
	p.wait().want(t, 0, nil, nil)
}

// TestUpAddressInUse says which address it is.
func TestUpAddressInUse(t *testing.T) {
	inRunFolder(t)
	address, _ := newFake(t).serve()
	r := command(t, "up", "--coordinators", "1", "--data-dir", "d", "--listen", address, "--http", "127.0.0.1:0")
	r.want(t, codeError, nil, []string{address, "address already in use"})
}

// TestClusterLog shows warnings of the cluster's log above the progress, and only then.
func TestClusterLog(t *testing.T) {
	for _, verbose := range []bool{false, true} {
		var file, errs buffer
		a := newApp(nil, nil, &errs)
		log := a.clusterLog(&file, verbose)
		log.Info("quiet")
		log.Warn("loud", "n", 1)
		if got := file.String(); !strings.Contains(got, "quiet") || !strings.Contains(got, "loud n=1") {
			t.Errorf("the file has %q", got)
		}
		if got := errs.String(); strings.Contains(got, "quiet") || strings.Contains(got, "loud n=1\n") != verbose {
			t.Errorf("verbose %v: messages are %q", verbose, got)
		}
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m01s", 11 * time.Minute: "11m", 47 * time.Hour: "47h", 49 * time.Hour: "2d",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%v) = %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 3 << 30: "3.0 GiB", 5 << 50: fmt.Sprintf("%.1f TiB", 5120.0)} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}
