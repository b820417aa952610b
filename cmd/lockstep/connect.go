package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lockstep/internal/certs"
	"lockstep/internal/client"
	"lockstep/internal/contexts"
	"lockstep/internal/flagenv"
)

const (
	defaultAddress = "127.0.0.1:7070"
	defaultPort    = "7070"
	callTimeout    = 15 * time.Second // of one call: coordinators need a few seconds to elect a leader
	probeTimeout   = 5 * time.Second
)

// remote gives a command the flags for the cluster it speaks to.
func (a *app) remote(cmd *cobra.Command) *cobra.Command {
	f := cmd.Flags()
	f.StringSliceVar(&a.addresses, flagAddress, nil, "coordinators to speak to, `HOST:PORT`, separated by commas; any of them will do; default: the context's, or "+
		defaultAddress+" [$"+flagenv.Name(flagAddress)+"]")
	f.StringVar(&a.context, flagContext, "", "speak to the cluster that \"lockstep context create\" called `NAME`; default: the current context [$"+flagenv.Name(flagContext)+"]")
	must(cmd.RegisterFlagCompletionFunc(flagContext, completeContexts))
	a.tls.AddFlags(f)
	addToken(f, &a.token)
	return cmd
}

// target is the cluster to speak to, and as whom: of the context that is meant, with the addresses that were given in the
// place of its own. Without any context it is the cluster at the default address.
func (a *app) target() (contexts.Context, error) {
	f, _, err := loadContexts()
	if err != nil {
		return contexts.Context{}, err
	}
	t := contexts.Context{Addresses: []string{defaultAddress}}
	if name := cmp.Or(a.context, f.Current); name != "" {
		c, err := findContext(f, name)
		if err != nil {
			return contexts.Context{}, err
		}
		t = *c
	}
	if a.addresses != nil {
		t.Addresses = a.addresses
	}
	a.replace(&t)
	t.Addresses, err = parseAddresses(t.Addresses)
	return t, err
}

// call is what commands that need one answer do: it connects and runs f, all within the time of one call.
func (a *app) call(ctx context.Context, f func(context.Context, *client.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return a.connected(ctx, f)
}

// connected runs f with a connection to the cluster.
func (a *app) connected(ctx context.Context, f func(context.Context, *client.Client) error) error {
	to, err := a.target()
	if err != nil {
		return err
	}
	secure, err := credentialsFor(to)
	if err != nil {
		return err
	}
	if err := probe(ctx, to); err != nil {
		return err
	}
	c, err := client.Dial(to.Addresses, secure...)
	if err != nil {
		return err
	}
	return errors.Join(f(ctx, c), c.Close())
}

// parseAddresses adds the port where it is left out.
func parseAddresses(list []string) ([]string, error) {
	var out []string
	for _, item := range list {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		if strings.Contains(item, "/") {
			return nil, exitErrorf(codeUsage, "address %q: want host:port", item)
		}
		if _, _, err := net.SplitHostPort(item); err != nil {
			item = net.JoinHostPort(strings.Trim(item, "[]"), defaultPort)
		}
		out = append(out, item)
	}
	if len(out) == 0 {
		return nil, exitErrorf(codeUsage, "no coordinator's address is given")
	}
	return out, nil
}

// probe returns nil as soon as one of the addresses takes a connection, and speaks TLS if and only if the user does. Calls
// would wait for a coordinator until their time is up; who just has no cluster, or another one, should not have to.
func probe(ctx context.Context, to contexts.Context) error {
	source, err := sourceFor(to)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	results := make(chan error, len(to.Addresses))
	for _, address := range to.Addresses {
		go func() { results <- probeOne(ctx, address, source) }()
	}
	var why error
	for range to.Addresses {
		if why = <-results; why == nil {
			return nil
		}
	}
	var wrong *mismatch
	switch {
	case interrupted(ctx):
		return errInterrupted
	case errors.As(why, &wrong):
		return wrong
	}
	return fmt.Errorf("no coordinator answers at %s: %w\nStart a cluster with \"lockstep up\", or say where it is with --addr, LOCKSTEP_ADDR or \"lockstep context\"",
		strings.Join(to.Addresses, ", "), plainCause(why))
}

// mismatch is an error of certs.Mismatch: there is somebody, but not to be spoken to like this.
type mismatch struct{ error }

func probeOne(ctx context.Context, address string, source certs.Source) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := certs.Mismatch(ctx, conn, source); err != nil {
		return &mismatch{err}
	}
	return nil
}

// plainCause leaves out the address that net repeats.
func plainCause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
