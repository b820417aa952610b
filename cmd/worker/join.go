package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"lockstep/internal/certs"
	"lockstep/internal/client"
	"lockstep/internal/trainer"
)

// joinFlags are how a worker gets a certificate by itself.
type joinFlags struct{ token, file string }

func (j *joinFlags) addTo(f *pflag.FlagSet) {
	f.StringVar(&j.token, "join-token", "", "instead of --tls-cert and --tls-key: get a certificate from the coordinators, with a `TOKEN` of \"lockstep token create --role join\"")
	f.StringVar(&j.file, "join-token-file", "", "likewise, with the token in `FILE`, which is waited for at the start, and read at every renewal")
}

func (j *joinFlags) given() bool { return j.token != "" || j.file != "" }

// current is the token as it is now.
func (j *joinFlags) current() (string, error) {
	if j.file == "" {
		return j.token, nil
	}
	text, err := os.ReadFile(j.file)
	return strings.TrimSpace(string(text)), err
}

const lookAgain = 500 * time.Millisecond // for a file

// wait returns when there is a token: who makes it may have been started at the same time.
func (j *joinFlags) wait(ctx context.Context, missing func()) error {
	for waited := false; ; waited = true {
		_, err := j.current()
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if !waited {
			missing()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lookAgain):
		}
	}
}

func (j *joinFlags) check(tls *certs.Files) error {
	switch {
	case j.token != "" && j.file != "":
		return errors.New("--join-token and --join-token-file: want one of them")
	case tls.CA == "":
		return errors.New("a join token needs --tls-ca, to know the coordinators by")
	case tls.Cert != "" || tls.Key != "":
		return errors.New("a join token takes the place of --tls-cert and --tls-key")
	}
	return nil
}

// enroll gives a worker a certificate from the coordinators, which is renewed until stop is called.
func (j *joinFlags) enroll(ctx context.Context, c *trainer.Config, tls *certs.Files) (stop func(), err error) {
	if err := j.check(tls); err != nil {
		return nil, err
	}
	if err := j.wait(ctx, func() { c.Log.Info("waiting for the join token", "file", j.file) }); err != nil {
		return nil, err
	}
	trust, err := tls.Source(certs.Anonymous)
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	e, err := client.Enroll(ctx, c.Coordinators, trust, j.current, host)
	if err != nil {
		return nil, err
	}
	c.TLS = e
	ctx, cancel := context.WithCancel(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() { e.Run(ctx, func(err error) { c.Log.Warn("certificate was not renewed", "error", err) }) })
	return func() {
		cancel()
		renewing.Wait()
	}, nil
}
