package coord

import (
	"context"
	"fmt"
	"time"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/event"
	"lockstep/internal/job"
)

// Events go to NATS at least once, in order. The position up to which they are known to be there is in the replicated
// state; a new leader goes on from it, and JetStream drops what came twice by the message id.
const (
	publishBatch = 256
	publishEvery = 200 * time.Millisecond // acknowledgements are log entries: a few a second at most
	publishLimit = 10 * time.Second
)

// publishEvents is the leader's task.
func (l *leader) publishEvents(ctx context.Context) {
	if l.cfg.NATSURL == "" {
		return
	}
	p, err := event.NewPublisher(l.natsConfig())
	if err != nil {
		l.log.Error("events are not published", "error", err)
		return
	}
	defer p.Close()
	for {
		var batch []*lockstepv1.Event
		changed := l.fsm.read(func(s *job.State) { batch = s.EventsAfter(s.AckedEvent()) })
		if len(batch) == 0 {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return
			}
		}
		l.publishBatch(ctx, p, batch[:min(len(batch), publishBatch)])
		select {
		case <-time.After(publishEvery):
		case <-ctx.Done():
			return
		}
	}
}

// publishBatch publishes events and notes how many of them are on NATS.
func (l *leader) publishBatch(ctx context.Context, p *event.Publisher, batch []*lockstepv1.Event) {
	msgs := make([]event.Message, 0, len(batch))
	for _, e := range batch {
		m, err := message(e)
		if err != nil {
			l.log.Error("event cannot be published", "sequence", e.Sequence, "error", err)
			break // what comes after it keeps its place
		}
		msgs = append(msgs, m)
	}
	call, cancel := context.WithTimeout(ctx, publishLimit)
	defer cancel()
	n, err := p.PublishAll(call, msgs)
	if err != nil && ctx.Err() == nil {
		l.log.Info("events wait for NATS", "published", n, "of", len(msgs), "error", err)
	}
	if n == 0 {
		return
	}
	ack := &lockstepv1.AckEvents{Sequence: batch[n-1].Sequence}
	if _, err := l.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_AckEvents{AckEvents: ack}}); err != nil {
		l.log.Debug("event position was not recorded", "error", err)
	}
}

// message is an event as CloudEvents JSON for NATS.
func message(e *lockstepv1.Event) (event.Message, error) {
	payload, err := event.Encode(CloudEvent(e))
	return event.Message{Subject: e.Subject, ID: eventID(e), Payload: payload}, err
}

// eventID is unique over clusters too that publish to one NATS server, one after the other.
func eventID(e *lockstepv1.Event) string { return fmt.Sprintf("%d-%d", e.TimeMs, e.Sequence) }

// CloudEvent is the CloudEvents form of an event.
func CloudEvent(e *lockstepv1.Event) event.Event {
	return event.Event{
		ID: eventID(e), Source: "/lockstep", Type: e.Type, Subject: e.Subject, Time: time.UnixMilli(e.TimeMs).UTC(),
		Data: e.Data,
	}
}
