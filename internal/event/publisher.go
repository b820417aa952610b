package event

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The stream that keeps all events. An existing one of this name is used as it is.
const (
	StreamName      = "LOCKSTEP"
	DuplicateWindow = 10 * time.Minute   // a message id is known for so long
	maxAge          = 7 * 24 * time.Hour // of an event
	maxBytes        = 256 << 20          // of all events; the oldest are dropped
)

const (
	window      = 256                    // messages on the way at once
	ackTimeout  = 5 * time.Second        // a message without an acknowledgement is sent again
	retryWait   = 100 * time.Millisecond // between two attempts
	callTimeout = 30 * time.Second       // of a call whose ctx has no deadline
)

// Config configures a publisher.
type Config struct {
	// URL of the NATS server; several may be given, separated by commas. Required.
	URL string
	// TLS encrypts the connection and says who this is. Default: plain.
	TLS *tls.Config
	// Log gets the state of the connection. Default: discarded.
	Log *slog.Logger
}

// Message is one event on its way.
type Message struct {
	Subject string
	ID      string // Nats-Msg-Id; not empty
	Payload []byte // an encoded Event
}

// Publisher publishes to the stream. It is safe for concurrent use; the order of messages holds within a call and
// between calls that follow one another.
type Publisher struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	stream atomic.Bool // it was seen
}

// NewPublisher returns a publisher that connects in the background and, once connected, again for ever. An error means
// that the configuration is wrong, not that the server is down.
func NewPublisher(cfg Config) (*Publisher, error) {
	nc, err := connect(cfg)
	if err != nil {
		return nil, fmt.Errorf("new publisher: %w", err)
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncTimeout(ackTimeout))
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("new publisher: %w", err)
	}
	return &Publisher{nc: nc, js: js}, nil
}

func connect(cfg Config) (*nats.Conn, error) {
	log, secure := cfg.Log, func(*nats.Options) error { return nil }
	if cfg.TLS != nil {
		secure = nats.Secure(cfg.TLS)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	nc, err := nats.Connect(cfg.URL, secure,
		nats.Name("lockstep"),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250*time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectBufSize(-1), // The caller retries in order; a buffer in between would hide what was lost.
		nats.ConnectHandler(func(nc *nats.Conn) { log.Info("connected to NATS", "url", nc.ConnectedUrlRedacted()) }),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Info("connected to NATS again", "url", nc.ConnectedUrlRedacted()) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { log.Warn("connection to NATS lost", "error", err) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Warn("NATS", "error", err) }),
	)
	if err == nil && !nc.IsConnected() {
		log.Warn("NATS is not reachable yet")
	}
	return nc, err
}

// Close ends the connection. Publish calls under way fail.
func (p *Publisher) Close() error {
	p.nc.Close()
	return nil
}

// Publish returns nil when JetStream has stored the message, or had stored one of the same id before. It retries until
// ctx ends, at most 30 s if ctx has no deadline. After an error the message may have been stored or not: publish it
// again, with the same id.
func (p *Publisher) Publish(ctx context.Context, subject, msgID string, payload []byte) error {
	_, err := p.PublishAll(ctx, []Message{{Subject: subject, ID: msgID, Payload: payload}})
	return err
}

// PublishAll publishes msgs in their order and returns how many of them, from the first on without a gap, are
// acknowledged. n < len(msgs) comes with an error. Of the others some may have been stored: publish msgs[n:] again, with
// the same ids. It retries as Publish does.
func (p *Publisher) PublishAll(ctx context.Context, msgs []Message) (n int, err error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}
	for n < len(msgs) {
		k, err := p.attempt(ctx, msgs[n:min(n+window, len(msgs))])
		n += k
		switch {
		case err == nil:
			continue
		case permanent(err):
			return n, fmt.Errorf("publish event %s: %w", msgs[n].ID, err)
		case k > 0 && ctx.Err() == nil:
			continue // it goes on: somebody else's message came in between
		}
		select {
		case <-ctx.Done():
			return n, fmt.Errorf("publish event %s: %w", msgs[n].ID, errors.Join(context.Cause(ctx), err))
		case <-time.After(retryWait):
		}
	}
	return n, nil
}

// permanent returns whether a retry cannot help.
func permanent(err error) bool {
	return errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrBadSubject) ||
		errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, errNoID) || errors.Is(err, errSubject)
}

var (
	errNoID    = errors.New("message without an id")
	errSubject = errors.New("not a subject of this package")
)

// attempt sends msgs once and returns how many of the first were acknowledged, with the reason if not all.
func (p *Publisher) attempt(ctx context.Context, msgs []Message) (n int, err error) {
	if err := p.connected(); err != nil {
		return 0, err
	}
	if err := p.ensureStream(ctx); err != nil {
		return 0, err
	}
	var acks []jetstream.PubAckFuture
	var sendErr error
	for i := range msgs {
		ack, err := p.send(msgs, i)
		if err != nil {
			sendErr = err
			break
		}
		acks = append(acks, ack)
	}
	for i, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			if errors.Is(err, jetstream.ErrNoStreamResponse) {
				p.stream.Store(false)
			}
			return i, err
		case <-ctx.Done():
			return i, context.Cause(ctx)
		}
	}
	return len(acks), sendErr
}

// send publishes msgs[i]. The server refuses it unless msgs[i-1] is the newest message of the stream or msgs[i] was
// stored before.
func (p *Publisher) send(msgs []Message, i int) (jetstream.PubAckFuture, error) {
	m := &msgs[i]
	if m.ID == "" {
		return nil, errNoID
	}
	if !strings.HasPrefix(m.Subject, Prefix) || strings.ContainsAny(m.Subject, "*> \t\r\n") {
		return nil, fmt.Errorf("%q: %w", m.Subject, errSubject)
	}
	if err := p.connected(); err != nil {
		return nil, err
	}
	opts := []jetstream.PublishOpt{jetstream.WithMsgID(m.ID), jetstream.WithRetryAttempts(0)}
	if i > 0 {
		opts = append(opts, jetstream.WithExpectLastMsgID(msgs[i-1].ID))
	}
	return p.js.PublishMsgAsync(&nats.Msg{Subject: m.Subject, Data: m.Payload, Header: nats.Header{}}, opts...)
}

// connected returns why a message could not be sent now.
func (p *Publisher) connected() error {
	switch {
	case p.nc.IsClosed():
		return nats.ErrConnectionClosed
	case !p.nc.IsConnected():
		return nats.ErrDisconnected
	}
	return nil
}

// ensureStream creates the stream if it is not there.
func (p *Publisher) ensureStream(ctx context.Context) error {
	if p.stream.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	_, err := p.js.Stream(ctx, StreamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = p.js.CreateStream(ctx, jetstream.StreamConfig{
			Name:        StreamName,
			Description: "Lockstep events",
			Subjects:    []string{All},
			MaxAge:      maxAge,
			MaxBytes:    maxBytes,
			Discard:     jetstream.DiscardOld,
			Storage:     jetstream.FileStorage,
			Duplicates:  DuplicateWindow,
		})
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", StreamName, err)
	}
	p.stream.Store(true)
	return nil
}
