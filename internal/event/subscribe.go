package event

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Subscribe calls handle for every event of the given subjects (patterns are allowed), in the order of the stream, with
// its sequence number in the stream, until ctx ends; then it returns the cause of ctx. fromStart begins with the oldest
// event that the stream has, otherwise with the first one that comes after the call. It waits for a server that is down and
// for a stream that does not exist yet, and goes on where it was when the server is back. What is not an event is
// skipped. An error before ctx ends means that the arguments are wrong.
func Subscribe(ctx context.Context, url string, subjects []string, fromStart bool, handle func(e Event, seq uint64)) error {
	s := &subscription{subjects: subjects, handle: handle}
	if fromStart {
		s.next = 1
	}
	nc, err := connect(Config{URL: url})
	if err != nil {
		return fmt.Errorf("subscribe to events: %w", err)
	}
	defer nc.Close()
	if s.js, err = jetstream.New(nc); err != nil {
		return fmt.Errorf("subscribe to events: %w", err)
	}
	// After a reconnect it looks at the stream anew: the consumer itself would wait for ever for the next number of a
	// stream that does not exist any more.
	again := make(chan struct{}, 1)
	nc.SetReconnectHandler(func(*nats.Conn) {
		select {
		case again <- struct{}{}:
		default:
		}
	})
	for {
		err := s.runUntil(ctx, again)
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if ctx.Err() != nil || wrongArgument(err) {
			return fmt.Errorf("subscribe to events: %w", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryWait):
		}
	}
}

// subscription is the state of one Subscribe call.
type subscription struct {
	js       jetstream.JetStream
	subjects []string
	handle   func(e Event, seq uint64)
	next     uint64    // sequence number to go on with; 0: not known yet, after the newest
	created  time.Time // of the stream, at the last look
}

// runUntil delivers events until something fails, or again tells to start over.
func (s *subscription) runUntil(ctx context.Context, again <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		select {
		case <-again:
			cancel()
		case <-ctx.Done():
		}
	})
	return s.run(ctx)
}

// run delivers events until something fails.
func (s *subscription) run(ctx context.Context) error {
	if err := s.position(ctx); err != nil {
		return err
	}
	consumer, err := s.js.OrderedConsumer(ctx, StreamName, jetstream.OrderedConsumerConfig{
		FilterSubjects: s.subjects,
		DeliverPolicy:  jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:    s.next,
	})
	if err != nil {
		return err
	}
	msgs, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer msgs.Stop()
	for {
		m, err := msgs.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		s.next = meta.Sequence.Stream + 1
		if e, err := Decode(m.Data()); err == nil {
			s.handle(e, meta.Sequence.Stream)
		}
	}
}

// position decides where to go on, from what the stream has.
func (s *subscription) position(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	stream, err := s.js.Stream(ctx, StreamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) && s.next == 0 {
		s.next = 1 // whatever it will have comes after the call
	}
	if err != nil {
		return err
	}
	info := stream.CachedInfo()
	switch {
	case s.next == 0:
		s.next = info.State.LastSeq + 1
	case !s.created.IsZero() && !s.created.Equal(info.Created):
		s.next = 1 // another stream than before: the server lost its directory
	}
	s.created = info.Created
	return nil
}

// wrongArgument returns whether err is the server's answer that no retry can change.
func wrongArgument(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, jetstream.ErrInvalidSubject) || errors.As(err, &api) && api.Code == 400
}
