package model

import (
	"fmt"

	"lockstep/internal/kernel"
)

// Pass computes one batch at a time on one core. It is not for concurrent use; make one per core.
type Pass struct {
	net     *Network
	root    unit
	loss    *lossUnit
	maxRows int
	held    int // floats in its buffers
	c       call
}

// Bytes is the memory of the Pass's buffers, about.
func (p *Pass) Bytes() int { return 4 * p.held }

// plan gathers what the units of a Pass need, while they are made.
type plan struct {
	rows  int // largest number of records of the units being made
	grads int // floats that each of the two gradient buffers needs
	held  int // floats in the buffers so far
	mask  []bool
}

// floats returns a buffer of perRow floats a record.
func (p *plan) floats(perRow int) []float32 {
	p.held += p.rows * perRow
	return make([]float32, p.rows*perRow)
}

// grad makes sure that the gradient buffers hold perRow floats a record.
func (p *plan) grad(perRow int) { p.grads = max(p.grads, p.rows*perRow) }

// call is the state of a Pass that its units share.
type call struct {
	net   *Network
	n     int // records, of the unit that is running
	w     *Weights
	train bool
	key   Key
	ids   []int32
	mask  []bool // of the steps of each record, set by the embedding; all of maxRows
	ws    *kernel.Workspace

	grad   []float32
	weight float32 // the batch's
	ready  func(param int)
	seek   *string // where the first number is that is not finite; nil: nobody asks
	done   int     // gradients of parameters from here on are final
	a, b   []float32
}

// other is the gradient buffer that dy is not in, of size floats.
func (c *call) other(dy []float32, size int) []float32 {
	if len(dy) > 0 && &dy[0] == &c.a[0] {
		return c.b[:size]
	}
	return c.a[:size]
}

// param is the values of parameter i.
func (c *call) param(i int) []float32 {
	p := &c.net.params[i]
	return c.w.params[p.Off : p.Off+p.Len]
}

// paramGrad is the place of parameter i's gradient, or nil if it needs none.
func (c *call) paramGrad(i int) []float32 {
	p := &c.net.params[i]
	if p.Kind == Frozen {
		return nil
	}
	return c.grad[p.Off : p.Off+p.Len]
}

// finish declares the gradients of all parameters from first on final: what nobody wrote becomes zero, and the
// receiver is told, from the last to the first.
func (c *call) finish(first int) {
	for i := c.done - 1; i >= first; i-- {
		p, end := &c.net.params[i], c.net.size
		if i+1 < len(c.net.params) {
			end = c.net.params[i+1].Off
		}
		if p.Kind == Frozen {
			clear(c.grad[p.Off:end])
		} else {
			clear(c.grad[p.Off+p.Len : end])
		}
		if c.ready != nil {
			c.ready(i)
		}
	}
	c.done = min(c.done, first)
}

// NewPass plans all buffers for batches of up to maxRows records.
func (n *Network) NewPass(maxRows int) *Pass {
	p := n.planPass(maxRows)
	p.loss = n.loss.newUnit(&plan{rows: maxRows})
	return p
}

// planPass plans a Pass without its loss.
func (n *Network) planPass(maxRows int) *Pass {
	p := &Pass{net: n, maxRows: maxRows}
	pl := &plan{rows: maxRows}
	pl.grad(n.output.size())
	p.root = n.root.newUnit(pl)
	p.held = pl.held + 2*pl.grads
	p.c = call{net: n, mask: pl.mask, ws: new(kernel.Workspace),
		a: make([]float32, max(pl.grads, 1)), b: make([]float32, max(pl.grads, 1))}
	return p
}

// Train computes the batch's gradient and sums. grad (Size floats) becomes the sum over the batch's records of the
// gradients of their losses; in the place of a Moving parameter comes the batch statistic times the batch's weight.
// stats (NumStats) becomes the batch's sums. ready, if not nil, is called once for each parameter, from the last to the
// first, as soon as its part of grad is final. An error is a *RecordError or a *BatchError; then grad and stats mean
// nothing and ready was not called.
func (p *Pass) Train(w *Weights, b Batch, key Key, grad []float32, stats []float64, ready func(param int)) error {
	if err := p.start(w, b, stats, true); err != nil {
		return err
	}
	c := &p.c
	c.train, c.key, c.grad, c.ready, c.done = true, key, grad, ready, len(p.net.params)
	if b.N == 0 {
		clear(grad)
		c.finish(0)
		return nil
	}
	y := p.root.forward(c, b.X)
	dy := c.a[:len(y)]
	p.loss.run(c, dy, y, b, stats)
	c.lookLoss(stats[0])
	for _, m := range p.net.meters {
		m.add(y, p.loss, b, stats)
	}
	c.weight = float32(stats[1])
	p.root.backward(c, dy)
	c.finish(0)
	return nil
}

// Eval computes the batch's sums, without dropout and with moving statistics. stats (NumStats) is overwritten. An error
// is as of Train.
func (p *Pass) Eval(w *Weights, b Batch, stats []float64) error {
	if err := p.start(w, b, stats, true); err != nil || b.N == 0 {
		return err
	}
	y := p.root.forward(&p.c, b.X)
	p.loss.run(&p.c, nil, y, b, stats)
	for _, m := range p.net.meters {
		m.add(y, p.loss, b, stats)
	}
	return nil
}

// Predict writes the output of each record to dst, N times OutputShape's volume. An error is as of Train.
func (p *Pass) Predict(w *Weights, b Batch, dst []float32) error {
	if err := p.start(w, b, nil, false); err != nil || b.N == 0 {
		return err
	}
	dst = dst[:b.N*p.net.output.size()]
	copy(dst, p.root.forward(&p.c, b.X))
	if f := p.net.final; f != nil {
		f.apply(dst, dst)
	}
	return nil
}

// start checks the batch and begins a computation.
func (p *Pass) start(w *Weights, b Batch, stats []float64, target bool) error {
	if err := p.check(b, target); err != nil {
		return err
	}
	clear(stats)
	c := &p.c
	c.n, c.w, c.train, c.ids, c.ready = b.N, w, false, b.IDs, nil
	return nil
}

// BatchError is a batch of the wrong size: a mistake of the caller, not of a record.
type BatchError struct {
	What      string
	Got, Want int
}

func (e *BatchError) Error() string {
	return fmt.Sprintf("batch: %d %s, want %d", e.Got, e.What, e.Want)
}

// check compares the batch with what the network wants.
func (p *Pass) check(b Batch, target bool) error {
	n := p.net
	if b.N < 0 || b.N > p.maxRows {
		return &BatchError{"records, more than planned for", b.N, p.maxRows}
	}
	if want := b.N * n.input.size(); !n.input.ids && len(b.X) != want {
		return &BatchError{"input values", len(b.X), want}
	} else if n.input.ids {
		if len(b.IDs) != want {
			return &BatchError{"token ids", len(b.IDs), want}
		}
		if err := checkIDs(b.IDs, n.input.size(), n.vocab); err != nil {
			return err
		}
	}
	if !target {
		return nil
	}
	return n.loss.check(b)
}

// checkIDs finds the first id that is not in the vocabulary.
func checkIDs(ids []int32, perRecord, vocab int) error {
	for i, id := range ids {
		if id < 0 || int(id) >= vocab {
			return &RecordError{Index: i / perRecord,
				Err: fmt.Errorf("token id %d at position %d is outside the vocabulary of %d", id, i%perRecord, vocab)}
		}
	}
	return nil
}
