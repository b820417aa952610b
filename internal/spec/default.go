package spec

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

const (
	defaultEpochs     = 10
	defaultMaxWorkers = 8
	recordsPerMicro   = 16 // aimed at
	maxMicroBatches   = 32
	defaultVocab      = 1024
	minMicroBatches   = 8 // so that this many workers can share a step
)

// DefaultMicroBatches is the number M of micro-batches into which a step of batch records is cut where the
// specification does not say: about 16 records in each, at most 32 of them, and at least 8 (or one a record) so that
// up to 8 workers can share a step. It depends on the batch size alone, never on the cluster.
func DefaultMicroBatches(batch int) int {
	about := (batch + recordsPerMicro/2) / recordsPerMicro
	return min(max(about, min(batch, minMicroBatches)), maxMicroBatches)
}

// fillRest fills in the defaults that follow from other values; the fixed ones are in the schema.
func (d *document) fillRest(j *Job) {
	if j.Metadata.Name == "" {
		j.Metadata.Name = nameFromFile(d.file)
	}
	t := &j.Spec
	if s := t.Dataset.Split; s != nil && s.Train == 0 {
		s.Train = math.Round((1-s.Val-s.Test)*1e12) / 1e12 // 0.7, not 0.7000000000000001
	}
	if s := t.Dataset.Text; s != nil && s.Tokenizer == "bpe" && s.VocabSize == 0 {
		s.VocabSize = defaultVocab
	}
	fillLayers(t.Model.Layers, "")
	fillTraining(&t.Training, &t.Parallelism)
	d.fillMonitors(t)
	if t.Loss.Type == "binary_cross_entropy" {
		for i := range t.Metrics {
			if m := &t.Metrics[i]; m.Threshold == 0 && hasThreshold(m.Type) {
				m.Threshold = 0.5
			}
		}
	}
	if s := &t.LRScheduler; s.Type == "one_cycle" && s.MaxLR == 0 {
		s.MaxLR = t.Optimizer.LearningRate
	}
	if f := t.InitFrom; f != nil {
		for _, name := range f.Freeze {
			if !slices.Contains(t.Model.Freeze, name) {
				t.Model.Freeze = append(t.Model.Freeze, name)
			}
		}
	}
}

func fillTraining(t *Training, p *Parallelism) {
	if t.Epochs == 0 && t.MaxSteps == 0 {
		t.Epochs = defaultEpochs
	}
	if t.MicroBatches == 0 {
		t.MicroBatches = DefaultMicroBatches(t.GlobalBatchSize)
	}
	if p.Workers.Max == 0 {
		p.Workers.Max = max(defaultMaxWorkers, p.Workers.Min)
	}
}

// fillMonitors settles what is monitored: the validation loss, or the training loss where nothing is validated.
func (d *document) fillMonitors(t *TrainJob) {
	usual := "train_loss"
	if t.validates() {
		usual = "val_loss"
	}
	settle := func(monitor, mode *string) {
		if *monitor == "" {
			*monitor = usual
		}
		if *mode == "" {
			*mode = direction(*monitor)
		}
	}
	if t.LRScheduler.Type == "reduce_on_plateau" {
		settle(&t.LRScheduler.Monitor, &t.LRScheduler.Mode)
	}
	if s := t.EarlyStopping; s != nil {
		settle(&s.Monitor, &s.Mode)
		usual = s.Monitor
	}
	c := &t.Checkpoint
	if t.needsBest() || c.Monitor != "" {
		if _, given := d.places["/spec/checkpoint/keep_best"]; !given {
			c.KeepBest = 1
		}
	}
	if c.KeepBest > 0 && c.Monitor == "" {
		c.Monitor = usual
	}
}

// fillLayers names the layers inside parent ("" at the top) and fills in what depends on their other settings.
func fillLayers(layers []Layer, parent string) {
	nameLayers(layers, parent)
	for i := range layers {
		l := &layers[i]
		if l.Strides.IsZero() {
			l.Strides = l.PoolSize
		}
		if l.Learned {
			l.KernelInitializer = or(l.KernelInitializer, "uniform")
		}
		switch l.Activation {
		case "leaky_relu":
			l.NegativeSlope = or(l.NegativeSlope, 0.01)
		case "elu":
			l.Alpha = or(l.Alpha, 1)
		case "gelu":
			l.Approximate = or(l.Approximate, "none")
		}
		if l.Layer != nil {
			inner := []Layer{*l.Layer}
			fillLayers(inner, l.Name+"/")
			*l.Layer = inner[0]
		}
		fillLayers(l.Layers, l.Name+"/")
	}
}

// or is v, or other if v is zero.
func or[T comparable](v, other T) T {
	var zero T
	if v == zero {
		return other
	}
	return v
}

// nameLayers gives each layer its full name: the parent's, a slash and its own. A layer without a name of its own is
// called type, type_1, type_2 and so on, in order, past the names that are taken.
func nameLayers(layers []Layer, parent string) {
	taken := map[string]bool{}
	for i := range layers {
		if l := &layers[i]; l.Name != "" {
			if len(l.Name) <= len(parent) || l.Name[:len(parent)] != parent {
				l.Name = parent + l.Name
			}
			taken[l.Name] = true
		}
	}
	next := map[string]int{}
	for i := range layers {
		l := &layers[i]
		if l.Name != "" {
			continue
		}
		for l.Name == "" || taken[l.Name] {
			l.Name = parent + l.Type
			if n := next[l.Type]; n > 0 {
				l.Name += "_" + strconv.Itoa(n)
			}
			next[l.Type]++
		}
		taken[l.Name] = true
	}
}

// everyLayer calls f with each layer, outer ones first, and the JSON pointer to it.
func everyLayer(layers []Layer, ptr string, f func(l *Layer, ptr string)) {
	for i := range layers {
		l, at := &layers[i], fmt.Sprintf("%s/%d", ptr, i)
		f(l, at)
		for l.Layer != nil {
			l, at = l.Layer, at+"/layer"
			f(l, at)
		}
		everyLayer(l.Layers, at+"/layers", f)
	}
}
