package spec

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

func (d *document) checkModel(t *TrainJob) {
	names := map[string]bool{}
	everyLayer(t.Model.Layers, "/spec/model/layers", func(l *Layer, ptr string) {
		if names[l.Name] {
			d.faultKey(ptr+"/name", fmt.Sprintf("two layers are called %q", l.Name), "")
		}
		names[l.Name] = true
		d.checkLayer(t, l, ptr)
	})
	for i := range t.Model.Layers {
		if l := &t.Model.Layers[i]; strings.Contains(l.Name, "/") {
			d.faultKey(fmt.Sprintf("/spec/model/layers/%d/name", i), fmt.Sprintf("the name %q holds a '/'", l.Name), "a '/' stands between a layer's name and those of the layers inside it")
		}
	}
	d.checkFreeze(t.Model.Freeze, names, "/spec/model/freeze")
	if t.InitFrom != nil {
		d.checkFreeze(t.InitFrom.Freeze, names, "/spec/init_from/freeze")
	}
	d.checkLogits(t)
}

func (d *document) checkLayer(t *TrainJob, l *Layer, ptr string) {
	if t.Dataset.Format != "text" {
		for key, size := range map[string]Size{"/units": l.Units, "/input_dim": l.InputDim} {
			if size == VocabSize {
				d.faultValue(ptr+key, "vocab_size needs a text dataset", "")
			}
		}
	}
	if l.Groups > 1 && l.Filters%l.Groups != 0 {
		d.faultKey(ptr+"/groups", fmt.Sprintf("%d filters cannot be cut into %d groups", l.Filters, l.Groups), "")
	}
	if l.Type == "bidirectional" && !slices.Contains([]string{"simple_rnn", "lstm", "gru"}, l.Layer.Type) {
		d.faultValue(ptr+"/layer/type", fmt.Sprintf("a bidirectional layer cannot hold %s %s layer", article(l.Layer.Type), l.Layer.Type), "it holds a simple_rnn, lstm or gru layer")
	}
	free := 0
	for _, n := range l.TargetShape {
		if n < 0 {
			free++
		}
	}
	if free > 1 {
		d.faultKey(ptr+"/target_shape", "more than one size is -1", "only one can be what is left")
	}
	if l.Type == "positional_embedding" && !l.Learned && l.KernelInitializer != "" {
		d.faultKey(ptr+"/kernel_initializer", "sines and cosines are not initialised", "write learned: true for a table")
	}
	d.checkActivation(l, ptr)
}

// checkActivation refuses settings of activations that the layer does not have.
func (d *document) checkActivation(l *Layer, ptr string) {
	for _, s := range []struct {
		key, activation string
		given           bool
	}{
		{"negative_slope", "leaky_relu", l.NegativeSlope != 0},
		{"alpha", "elu", l.Alpha != 0},
		{"approximate", "gelu", l.Approximate != ""},
	} {
		if s.given && l.Activation != s.activation {
			d.faultKey(ptr+"/"+s.key, fmt.Sprintf("%q belongs to the activation %s, not to %s", s.key, s.activation, l.Activation), "")
		}
	}
}

// Freezes reports whether an entry of a list of layers to freeze names one of these: itself, or by a pattern such as
// "conv*", in which "*" stands for anything but a "/".
func Freezes(entry string, layers ...string) bool {
	return slices.ContainsFunc(layers, func(name string) bool {
		ok, err := path.Match(entry, name)
		return entry == name || ok && err == nil
	})
}

func (d *document) checkFreeze(freeze []string, names map[string]bool, ptr string) {
	for i, name := range freeze {
		at := fmt.Sprintf("%s/%d", ptr, i)
		if _, written := d.places[at]; !written || Freezes(name, slices.Sorted(maps.Keys(names))...) {
			continue
		}
		e := d.faultValue(at, fmt.Sprintf("there is no layer %q to freeze", name), "")
		d.hintLater(e, func() string {
			known := slices.Sorted(maps.Keys(names))
			hint := didYouMean(name, known)
			if hint == "" && len(known) <= 20 {
				hint = "known: " + strings.Join(known, ", ")
			}
			return hint
		})
	}
}

// checkLogits refuses a model that ends in probabilities where the loss takes logits, unless the specification says in
// so many words that it is meant.
func (d *document) checkLogits(t *TrainJob) {
	last := t.Model.Layers[len(t.Model.Layers)-1]
	_, said := d.places["/spec/loss/from_logits"]
	squashes := map[string]string{"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}[t.Loss.Type]
	if !said && squashes != "" && last.Activation == squashes {
		at := fmt.Sprintf("/spec/model/layers/%d/activation", len(t.Model.Layers)-1)
		d.faultKey(at, fmt.Sprintf("the model ends in a %s, but the loss %s takes logits", squashes, t.Loss.Type), "leave the activation out, or write from_logits: false in the loss")
	}
}
