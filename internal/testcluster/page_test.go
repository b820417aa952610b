package testcluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// browser is a tab of a headless Chromium.
type browser struct {
	t      *testing.T
	ctx    context.Context
	mu     sync.Mutex
	errors []string // that the page wrote or threw; under mu
}

// openBrowser starts Chromium; the test is skipped where there is none.
func openBrowser(t *testing.T, c *Cluster) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("there is no chromium here: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1200, 1000))
	ctx, cancel := chromedp.NewExecAllocator(c.context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithErrorf(func(string, ...any) {})) // of what it does not know; actions return their errors
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, b.listen)
	return b
}

func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.errors = append(b.errors, e.ExceptionDetails.Error())
	case *log.EventEntryAdded: // such as what the page's policy forbids; that a request fails is none of the page's errors
		if e.Entry.Level == log.LevelError && e.Entry.Source != log.SourceNetwork {
			b.errors = append(b.errors, e.Entry.Text)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			b.errors = append(b.errors, fmt.Sprint(e.Args))
		}
	}
}

// quiet fails the test if the page wrote or threw errors.
func (b *browser) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.errors) > 0 {
		b.t.Errorf("the page has errors: %q", b.errors)
	}
}

func (b *browser) do(what string, actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// sees waits until the page's text has all of these; meanwhile the page may go elsewhere, which ends a poll.
func (b *browser) sees(texts ...string) {
	b.t.Helper()
	for _, x := range texts {
		poll := chromedp.Poll(fmt.Sprintf("document.body.innerText.includes(%q)", x), nil, chromedp.WithPollingTimeout(0))
		for err := chromedp.Run(b.ctx, poll); err != nil; err = chromedp.Run(b.ctx, poll) {
			if b.ctx.Err() != nil {
				b.t.Fatalf("wait to see %s: %v", x, err)
			}
		}
	}
}

// shoot keeps a picture of the whole page in the folder LOCKSTEP_SCREENSHOTS, if that is set.
func (b *browser) shoot(name, scheme string) {
	b.t.Helper()
	dir := os.Getenv("LOCKSTEP_SCREENSHOTS")
	if dir == "" {
		return
	}
	var picture []byte
	b.do("screenshot", emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		chromedp.FullScreenshot(&picture, 100))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o666); err != nil {
		b.t.Fatal(err)
	}
}

// TestPage follows a job on the page, from submitting it there to its success: a worker is killed, and the coordinator
// that serves the page.
func TestPage(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Workers: 4})
	b := openBrowser(t, c)
	text := digits(t, "spec.training.epochs", "60", "spec.dataset.split", "{train: 0.7, val: 0.1, test: 0.2}") // a browser on a busy machine is slow
	leader := c.Leader()
	served := c.seats[0]
	if served == leader {
		served = c.seats[1]
	}
	b.do("open the page", chromedp.Navigate("http://"+served.HTTP+"/#/submit"), chromedp.WaitVisible("textarea"),
		chromedp.SetValue("textarea", string(text)), chromedp.Click("button"))
	b.sees("RUNNING", "4 workers")
	c.Workers()[0].Kill()
	b.sees("3 workers", "val accuracy")
	c.WaitStep("digits-mlp", 600)
	b.sees("checkpoint")
	b.shoot("running", "light")
	b.shoot("running-dark", "dark")
	served.Kill()
	b.sees("SUCCEEDED", "Checkpoints")
	j, err := c.Client.GetJob(c.context(), &lockstepv1.GetJobRequest{Job: "digits-mlp"})
	if err != nil {
		t.Fatal(err)
	}
	if wanted := digestOf(t, text); j.ModelDigest != wanted {
		t.Errorf("model digest %s, want that of an undisturbed run, %s", j.ModelDigest, wanted)
	}
	b.sees(j.ModelDigest)
	var place string
	b.do("read the address", chromedp.Location(&place))
	if strings.Contains(place, served.HTTP) {
		t.Errorf("the page is still at %s, which is dead", place)
	}
	b.shoot("job", "light")
	b.shoot("job-dark", "dark")
	for _, p := range []struct{ page, text string }{{"", "digits-mlp"}, {"cluster", "does not answer"}, {"compare", "train_loss"}} {
		b.do("open "+p.page, chromedp.Evaluate("location.hash = '#/"+p.page+"'", nil))
		b.sees(p.text)
		b.shoot("page-"+p.page, "light")
	}
	b.do("narrow", chromedp.EmulateViewport(390, 800), chromedp.Evaluate("location.hash = '#/job/digits-mlp'", nil))
	b.sees("Checkpoints")
	b.shoot("narrow", "light")
	var width int
	b.do("measure", chromedp.Evaluate("document.documentElement.scrollWidth", &width))
	if width > 390 {
		t.Errorf("on a screen of 390 pixels the page is %d wide", width)
	}
	b.quiet()
}
