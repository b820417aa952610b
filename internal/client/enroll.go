package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/access"
	"lockstep/internal/certs"
)

// Enrolled is a worker's certificate that coordinators have issued for a join token. Its key is in this process alone.
type Enrolled struct {
	coordinators []string
	trust        certs.Source // the authority
	token        func() (string, error)
	name         string
	key          *ecdsa.PrivateKey
	cert         atomic.Pointer[tls.Certificate]
}

// Enroll gets the first certificate, from any of the coordinators. It asks for the token whenever it needs one.
func Enroll(ctx context.Context, coordinators []string, trust certs.Source, token func() (string, error), name string) (*Enrolled, error) {
	key, err := certs.NewKey()
	if err != nil {
		return nil, err
	}
	e := &Enrolled{coordinators: coordinators, trust: trust, token: token, name: name, key: key}
	return e, e.renew(ctx)
}

// Current implements certs.Source.
func (e *Enrolled) Current() (*tls.Certificate, *x509.CertPool, error) {
	_, roots, err := e.trust.Current()
	return e.cert.Load(), roots, err
}

// renewTimeout bounds one attempt, and renewAgain is when the next one is.
const (
	renewTimeout = 15 * time.Second
	renewAgain   = time.Minute
)

// Run renews the certificate at half of its time, until ctx ends.
func (e *Enrolled) Run(ctx context.Context, failed func(error)) {
	renewing(ctx, func() *x509.Certificate { return e.cert.Load().Leaf }, e.renew, failed)
}

// renewing calls renew when half of the present certificate's time is over, and again a while after it has failed.
func renewing(ctx context.Context, present func() *x509.Certificate, renew func(context.Context) error, failed func(error)) {
	for {
		leaf := present()
		t := time.NewTimer(max(time.Until(leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore)/2)), renewAgain))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		call, cancel := context.WithTimeout(ctx, renewTimeout)
		if err := renew(call); err != nil && ctx.Err() == nil {
			failed(err)
		}
		cancel()
	}
}

func (e *Enrolled) renew(ctx context.Context) error {
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, e.key)
	if err != nil {
		return fmt.Errorf("enroll: %w", err)
	}
	token, err := e.token()
	if err != nil {
		return fmt.Errorf("enroll: %w", err)
	}
	c, err := Dial(e.coordinators, grpc.WithTransportCredentials(certs.ClientCredentials(e.trust, certs.Coordinator)),
		grpc.WithPerRPCCredentials(access.Bearer(token)))
	if err != nil {
		return err
	}
	defer c.Close()
	reply, err := c.Enroll(ctx, &lockstepv1.EnrollRequest{Request: request, Name: e.name})
	if err != nil {
		return fmt.Errorf("enroll: %w", err)
	}
	leaf, err := x509.ParseCertificate(reply.Certificate)
	if err != nil {
		return fmt.Errorf("enroll: %w", err)
	}
	e.cert.Store(&tls.Certificate{Certificate: [][]byte{reply.Certificate}, PrivateKey: e.key, Leaf: leaf})
	return nil
}
