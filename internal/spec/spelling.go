package spec

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// spellings are the words of other frameworks that are accepted in one kind of object beside its own.
type spellings struct {
	types map[string]string            // of the value of "type"
	keys  map[string]string            // of keys
	of    map[string]map[string]string // of keys of one type only, which come before keys
	words map[string]map[string]string // of values, by key
}

var initializerWords = map[string]string{
	"xavier_uniform": "glorot_uniform", "xavier_normal": "glorot_normal",
	"kaiming_uniform": "he_uniform", "kaiming_normal": "he_normal",
	"random_uniform": "uniform", "random_normal": "normal",
}

var activationWords = map[string]string{"swish": "silu", "identity": "linear"}

var layerSpellings = spellings{
	types: map[string]string{
		"linear":    "dense",
		"conv_2d":   "conv2d",
		"maxpool2d": "max_pool2d", "max_pooling2d": "max_pool2d",
		"avg_pool2d": "average_pool2d", "avgpool2d": "average_pool2d", "average_pooling2d": "average_pool2d",
		"global_avg_pool2d": "global_average_pool2d", "global_average_pooling2d": "global_average_pool2d",
		"global_max_pooling2d": "global_max_pool2d",
		"conv_transpose2d":     "conv2d_transpose", "convtranspose2d": "conv2d_transpose",
		"batch_norm1d": "batch_norm", "batch_norm2d": "batch_norm", "batch_normalization": "batch_norm",
		"layer_normalization": "layer_norm",
		"rnn":                 "simple_rnn",
		"multihead_attention": "multi_head_attention", "self_attention": "multi_head_attention",
		"positional_encoding":       "positional_embedding",
		"transformer_encoder_layer": "transformer_block",
	},
	keys: map[string]string{
		"out_features": "units", "hidden_size": "units",
		"out_channels": "filters",
		"stride":       "strides", "dilation": "dilation_rate",
		"bias":           "use_bias",
		"eps":            "epsilon",
		"num_embeddings": "input_dim", "embedding_dim": "output_dim", "embeddings_initializer": "kernel_initializer",
		"nonlinearity": "activation",
		"nhead":        "num_heads",
	},
	of: map[string]map[string]string{
		"max_pool2d":        {"kernel_size": "pool_size"},
		"average_pool2d":    {"kernel_size": "pool_size"},
		"dropout":           {"p": "rate"},
		"reshape":           {"shape": "target_shape"},
		"transformer_block": {"dim_feedforward": "units", "dropout": "rate", "layer_norm_eps": "epsilon"},
	},
	words: map[string]map[string]string{
		"activation":            activationWords,
		"kernel_initializer":    initializerWords,
		"recurrent_initializer": initializerWords,
		"bias_initializer":      initializerWords,
	},
}

var lossSpellings = spellings{
	types: map[string]string{
		"mse_loss": "mse", "mean_squared_error": "mse",
		"l1": "mae", "l1_loss": "mae", "mean_absolute_error": "mae",
		"huber_loss":         "huber",
		"cross_entropy_loss": "cross_entropy", "crossentropy": "cross_entropy",
		"bce_with_logits": "binary_cross_entropy", "binary_crossentropy": "binary_cross_entropy",
	},
}

var optimizerSpellings = spellings{
	keys: map[string]string{"lr": "learning_rate", "eps": "epsilon", "global_clipnorm": "clip_global_norm"},
	of:   map[string]map[string]string{"rmsprop": {"alpha": "rho"}},
}

var schedulerSpellings = spellings{
	types: map[string]string{
		"step_lr": "step", "multi_step": "multistep", "multistep_lr": "multistep", "exponential_lr": "exponential",
		"polynomial_lr": "polynomial", "linear_lr": "linear", "constant_lr": "constant",
		"cosine_annealing": "cosine", "cosine_annealing_lr": "cosine", "cosine_decay": "cosine",
		"onecycle": "one_cycle", "one_cycle_lr": "one_cycle", "reduce_lr_on_plateau": "reduce_on_plateau",
	},
	keys: map[string]string{
		"T_max": "total_steps", "total_iters": "total_steps", "eta_min": "min_lr", "min_learning_rate": "min_lr",
		"max_learning_rate": "max_lr", "anneal_strategy": "anneal",
	},
}

// advice is what to do about a key of another framework that has no equal here.
var advice = map[string]string{
	"in_features":   "leave it out: the size of a layer's input follows from the layer before",
	"in_channels":   "leave it out: the size of a layer's input follows from the layer before",
	"input_size":    "leave it out: the size of a layer's input follows from the layer before",
	"num_features":  "leave it out: the size of a layer's input follows from the layer before",
	"embed_dim":     "leave it out: the size of a layer's input follows from the layer before",
	"d_model":       "leave it out: the size of a layer's input follows from the layer before",
	"input_shape":   "the shape of a record is model.input.shape",
	"batch_first":   "leave it out: the batch always comes first",
	"bidirectional": "wrap the layer: {type: bidirectional, layer: {type: lstm, units: 64}}",
	"num_layers":    "write one layer for each, all but the last with return_sequences: true",
	"padding_idx":   "with mask_zero: true id 0 is padding",
	"batch_size":    "global_batch_size, under training, is the number of records in a step over all workers",
	"amsgrad":       "write type: amsgrad",
	"betas":         "they belong to adam, adamw and amsgrad",
	"dropout":       "write a layer of its own: {type: dropout, rate: 0.5}",
}

// respell rewrites the accepted foreign spellings in the document, and the short forms of metrics and column names, to
// the ones that the schema knows. Places follow, so that errors show what was written.
func (d *document) respell() {
	job, _ := d.root.(map[string]any)
	top, _ := job["spec"].(map[string]any)
	if model, ok := top["model"].(map[string]any); ok {
		d.respellLayers(model["layers"], "/spec/model/layers")
	}
	d.respellObject(top["loss"], "/spec/loss", &lossSpellings)
	d.respellObject(top["optimizer"], "/spec/optimizer", &optimizerSpellings)
	d.respellObject(top["lr_scheduler"], "/spec/lr_scheduler", &schedulerSpellings)
	if optimizer, ok := top["optimizer"].(map[string]any); ok {
		d.splitBetas(optimizer, "/spec/optimizer")
	}
	if metrics, ok := top["metrics"].([]any); ok {
		d.expandMetrics(metrics, "/spec/metrics")
	}
	if dataset, ok := top["dataset"].(map[string]any); ok {
		nameColumns(dataset)
		d.respellFormat(dataset)
	}
}

func (d *document) respellLayers(v any, ptr string) {
	list, _ := v.([]any)
	for i, item := range list {
		d.respellLayer(item, ptr+"/"+strconv.Itoa(i))
	}
}

func (d *document) respellLayer(v any, ptr string) {
	layer, ok := v.(map[string]any)
	if !ok {
		return
	}
	d.respellActivation(layer, ptr)
	d.respellObject(layer, ptr, &layerSpellings)
	d.respellLayer(layer["layer"], ptr+"/layer")
	d.respellLayers(layer["layers"], ptr+"/layers")
}

// respellActivation turns an activation that stands as a layer of its own, {type: relu}, into an activation layer.
func (d *document) respellActivation(layer map[string]any, ptr string) {
	name, _ := layer["type"].(string)
	_, given := layer["activation"]
	if given || name == "linear" || !slices.Contains(activations(), name) {
		return
	}
	layer["type"], layer["activation"] = "activation", name
	d.places[ptr+"/activation"] = d.places[ptr+"/type"]
}

// respellObject rewrites one object's type and keys.
func (d *document) respellObject(v any, ptr string, s *spellings) {
	object, ok := v.(map[string]any)
	if !ok {
		return
	}
	name, _ := object["type"].(string)
	if own, ok := s.types[name]; ok {
		name = own
		object["type"] = own
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		own, ok := s.of[name][key]
		if !ok {
			own, ok = s.keys[key]
		}
		if ok {
			d.rename(object, ptr, key, own)
		}
	}
	for key, words := range s.words {
		if word, ok := object[key].(string); ok {
			object[key] = or(words[word], word)
		}
	}
}

// rename moves a value to its own key.
func (d *document) rename(object map[string]any, ptr, from, to string) {
	at, value := d.places[child(ptr, from)], object[from]
	delete(object, from)
	if _, ok := object[to]; ok {
		d.fault(at.key, fmt.Sprintf("%q is given twice", to), fmt.Sprintf("%q is another spelling of it", from))
		return
	}
	object[to] = value
	d.places[child(ptr, to)] = at
	if list, ok := object[to].([]any); ok { // [height, width] or a shape: the only nested values that have a second spelling
		for i := range list {
			d.places[child(ptr, to)+"/"+strconv.Itoa(i)] = d.places[child(ptr, from)+"/"+strconv.Itoa(i)]
		}
	}
}

// splitBetas turns betas: [a, b] into beta_1 and beta_2.
func (d *document) splitBetas(optimizer map[string]any, ptr string) {
	betas, ok := optimizer["betas"]
	if name, _ := optimizer["type"].(string); !ok || !slices.Contains([]string{"adam", "adamw", "amsgrad"}, name) {
		return
	}
	delete(optimizer, "betas")
	pair, ok := betas.([]any)
	if !ok || len(pair) != 2 {
		d.faultKey(ptr+"/betas", `"betas" must be a pair of numbers`, "write betas: [0.9, 0.999]")
		return
	}
	for i, to := range []string{"beta_1", "beta_2"} {
		if _, ok := optimizer[to]; ok {
			d.faultKey(ptr+"/betas", fmt.Sprintf("%q is given twice", to), `"betas" gives it too`)
			continue
		}
		optimizer[to] = pair[i]
		d.places[child(ptr, to)] = place{d.places[ptr+"/betas"].key, d.place(ptr + "/betas/" + strconv.Itoa(i)).value}
	}
}

// expandMetrics turns a metric's bare name into an object.
func (d *document) expandMetrics(metrics []any, ptr string) {
	for i, m := range metrics {
		if name, ok := m.(string); ok {
			at := ptr + "/" + strconv.Itoa(i)
			metrics[i] = map[string]any{"type": name}
			d.places[at+"/type"] = place{value: d.places[at].value}
		}
	}
}

// respellFormat turns tsv into csv with tabs.
func (d *document) respellFormat(dataset map[string]any) {
	if dataset["format"] != "tsv" {
		return
	}
	dataset["format"] = "csv"
	if _, given := dataset["delimiter"]; !given {
		dataset["delimiter"] = "\t"
		d.places["/spec/dataset/delimiter"] = d.places["/spec/dataset/format"]
	}
}

// nameColumns turns columns and classes that are written as whole numbers into text: a file without a header has the
// columns 0, 1 and so on.
func nameColumns(dataset map[string]any) {
	name := func(v any) any {
		if n, ok := v.(json.Number); ok {
			if _, err := n.Int64(); err == nil {
				return n.String()
			}
		}
		return v
	}
	columns, _ := dataset["features"].([]any)
	for _, c := range append([]any{dataset["target"]}, columns...) {
		column, ok := c.(map[string]any)
		if !ok {
			continue
		}
		if _, ok := column["column"]; ok {
			column["column"] = name(column["column"])
		}
		classes, _ := column["classes"].([]any)
		for i := range classes {
			classes[i] = name(classes[i])
		}
	}
}
