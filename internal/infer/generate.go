package infer

import (
	"errors"
	"fmt"

	"lockstep/internal/kernel/f64"
	"lockstep/internal/model"
	"lockstep/internal/rng"
)

// Generation says what text to make.
type Generation struct {
	Prompt      string
	Length      int     // tokens to add
	Temperature float64 // 0: always the most probable token
	Seed        uint64
}

// Generate continues a prompt, a token at a time, and gives each to emit. The text is a function of the model and of g
// alone. The model sees the last tokens, as many as it was trained on.
func (m *Model) Generate(g Generation, emit func(text string) error) error {
	ids, err := m.beginning(g)
	if err != nil {
		return err
	}
	t, vocab := m.Input.Width(), m.net.OutputShape()[1]
	pass := m.net.NewPass(1)
	window, out := make([]int32, t), make([]float32, t*vocab)
	for i := range g.Length {
		seen := ids[max(0, len(ids)-t):]
		clear(window[copy(window, seen):])
		if err := pass.Predict(m.weights, model.Batch{N: 1, IDs: window}, out); err != nil {
			return err
		}
		s := rng.New(g.Seed, rng.Generate, uint64(i), 0, 0)
		next := m.draw(out[(len(seen)-1)*vocab:len(seen)*vocab], g.Temperature, float64(s.Uint32())/(1<<32))
		ids = append(ids, int32(next))
		if err := emit(m.Input.Text(ids[len(ids)-1:])); err != nil {
			return err
		}
	}
	return nil
}

// beginning checks that the model can continue a text, and returns the prompt's tokens.
func (m *Model) beginning(g Generation) ([]int32, error) {
	out := m.net.OutputShape()
	loss := m.bundle.Spec.Spec.Loss
	switch {
	case !m.Data.Integer || len(out) != 2 || out[0] != m.Input.Width() || out[1] < m.Data.Vocab || loss.Type != "cross_entropy":
		return nil, errors.New("the model does not predict the next token of a text")
	case g.Temperature < 0:
		return nil, fmt.Errorf("temperature %v is below 0", g.Temperature)
	}
	if layer := looksAhead(m.net.Describe()); layer != "" {
		return nil, fmt.Errorf("the model sees what comes after: layer %q does not go from left to right only", layer)
	}
	ids, err := m.Input.Tokens(nil, g.Prompt)
	if err == nil && len(ids) == 0 {
		err = errors.New("the prompt is empty: there is nothing to continue")
	}
	return ids, err
}

// looksAhead names a layer whose output at one step depends on later ones, "" if there is none.
func looksAhead(n model.Node) string {
	switch n.Type {
	case "bidirectional":
		return n.Name
	case "multi_head_attention":
		if !n.Causal {
			return n.Name
		}
	}
	for _, l := range n.Layers {
		if name := looksAhead(l); name != "" {
			return name
		}
	}
	return ""
}

// draw picks a token by its probability; u is a number from 0 to 1.
func (m *Model) draw(y []float32, temperature, u float64) int {
	y = y[:m.Data.Vocab]
	best := 0
	for i, v := range y {
		if v > y[best] {
			best = i
		}
	}
	if temperature == 0 {
		return best
	}
	loss := m.bundle.Spec.Spec.Loss
	logits := loss.FromLogits == nil || *loss.FromLogits
	weight := func(i int) float64 {
		v, top := float64(y[i]), float64(y[best])
		if !logits {
			v, top = f64.Log(max(v, 1e-30)), f64.Log(max(top, 1e-30))
		}
		return f64.Exp((v - top) / temperature)
	}
	sum := 0.0
	for i := range y {
		sum += weight(i)
	}
	left := u * sum
	for i := range y {
		if left -= weight(i); left < 0 {
			return i
		}
	}
	return best
}
