package client

import (
	"context"
	"crypto/x509"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestRenewal: a certificate is renewed at half of its time, and if that fails, again a minute later, until it succeeds.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const validity = 24 * time.Hour
		begin := time.Now()
		var leaf *x509.Certificate
		issue := func() { leaf = &x509.Certificate{NotBefore: time.Now(), NotAfter: time.Now().Add(validity)} }
		issue()
		ctx, cancel := context.WithCancel(t.Context())
		var tries []time.Duration
		renew := func(ctx context.Context) error {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("a renewal may take for ever")
			}
			switch tries = append(tries, time.Since(begin)); len(tries) {
			case 2, 3:
				return errors.New("no coordinator answers")
			case 5:
				cancel()
			}
			issue()
			return nil
		}
		failures := 0
		renewing(ctx, func() *x509.Certificate { return leaf }, renew, func(error) { failures++ })
		want := []time.Duration{validity / 2, validity, validity + renewAgain, validity + 2*renewAgain, validity*3/2 + 2*renewAgain}
		for i := range want {
			if i >= len(tries) || tries[i] != want[i] {
				t.Fatalf("renewals after %v, want %v", tries, want)
			}
		}
		if failures != 2 {
			t.Errorf("%d failures were told, want 2", failures)
		}
	})
}
