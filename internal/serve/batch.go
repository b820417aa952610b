package serve

import (
	"context"
	"errors"
	"sync"
	"time"

	"lockstep/internal/infer"
)

// errBusy marks a request for which there is no room.
var errBusy = errors.New("too many requests are waiting")

// errClosed marks a request that came too late.
var errClosed = errors.New("the server is shutting down")

// work is the records of one request.
type work struct {
	ctx     context.Context
	records []infer.Record
	done    chan result // one result, never blocks
}

type result struct {
	predictions []infer.Prediction
	err         error
}

// batcher computes the records of requests that come together at once.
type batcher struct {
	rows    int
	wait    time.Duration
	queue   chan *work
	closing chan struct{}
	once    sync.Once
	group   sync.WaitGroup
	batched func(records int) // sees the size of every batch
}

// newBatcher starts workers, each with a predictor of its own.
func newBatcher(m *infer.Model, workers, rows, queue int, wait time.Duration, batched func(int)) *batcher {
	b := &batcher{rows: rows, wait: wait, queue: make(chan *work, queue), closing: make(chan struct{}), batched: batched}
	for range workers {
		p := m.NewPredictor(rows)
		b.group.Go(func() { b.run(p) })
	}
	return b
}

// close ends the workers once they have computed what waits. Closing twice is safe.
func (b *batcher) close() {
	b.once.Do(func() { close(b.closing) })
	b.group.Wait()
}

// predict computes records, together with those of others.
func (b *batcher) predict(ctx context.Context, records []infer.Record) ([]infer.Prediction, error) {
	w := &work{ctx: ctx, records: records, done: make(chan result, 1)}
	select {
	case <-b.closing:
		return nil, errClosed
	default:
	}
	select {
	case b.queue <- w:
	default:
		return nil, errBusy
	}
	select {
	case r := <-w.done:
		return r.predictions, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (b *batcher) run(p *infer.Predictor) {
	for {
		select {
		case w := <-b.queue:
			b.compute(p, b.gather(w))
			continue
		default:
		}
		select {
		case w := <-b.queue:
			b.compute(p, b.gather(w))
		case <-b.closing:
			return
		}
	}
}

// gather waits for more work until a batch is full, or the first has waited for long enough.
func (b *batcher) gather(first *work) []*work {
	all, n := []*work{first}, len(first.records)
	timer := time.NewTimer(b.wait)
	defer timer.Stop()
	for n < b.rows {
		select {
		case w := <-b.queue:
			all, n = append(all, w), n+len(w.records)
		case <-timer.C:
			return all
		case <-b.closing:
			return all
		}
	}
	return all
}

// compute answers all the work that somebody still waits for.
func (b *batcher) compute(p *infer.Predictor, all []*work) {
	var records []infer.Record
	waiting := all[:0]
	for _, w := range all {
		if w.ctx.Err() == nil {
			waiting, records = append(waiting, w), append(records, w.records...)
		}
	}
	var predictions []infer.Prediction
	var err error
	for at := 0; at < len(records) && err == nil; at += b.rows {
		batch := records[at:min(at+b.rows, len(records))]
		b.batched(len(batch))
		var some []infer.Prediction
		some, err = p.Predict(batch)
		predictions = append(predictions, some...)
	}
	for _, w := range waiting {
		if err != nil {
			w.done <- result{err: err}
			continue
		}
		w.done <- result{predictions: predictions[:len(w.records):len(w.records)]}
		predictions = predictions[len(w.records):]
	}
}
