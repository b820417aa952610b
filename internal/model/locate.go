package model

import (
	"fmt"
	"math"

	"lockstep/internal/kernel"
)

// Locate computes a batch as Train does and says where the first number that is not finite arises: in the output of a
// layer, in the loss, or in the gradient at the input of a layer. It is "" if there is none. grad (Size) and stats
// (NumStats) are overwritten.
func (p *Pass) Locate(w *Weights, b Batch, key Key, grad []float32, stats []float64) (string, error) {
	where := ""
	p.c.seek = &where
	defer func() { p.c.seek = nil }()
	err := p.Train(w, b, key, grad, stats, nil)
	return where, err
}

// look notes the first values that are not finite, if somebody asks.
func (c *call) look(what, layer string, v []float32) {
	if c.seek != nil && *c.seek == "" && kernel.HasNonFinite(v) {
		*c.seek = fmt.Sprintf("%s %q", what, layer)
	}
}

// lookLoss is look for the sum of the losses.
func (c *call) lookLoss(sum float64) {
	if c.seek != nil && *c.seek == "" && (math.IsNaN(sum) || math.IsInf(sum, 0)) {
		*c.seek = "the loss"
	}
}
