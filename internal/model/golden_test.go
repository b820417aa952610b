package model

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"testing"

	"lockstep/internal/spec"
)

// TestGoldenBits trains every network of the finite differences for two steps by each optimizer in turn and compares a
// digest of the parameters. It stands for the promise that the bits are the same on every machine: with and without
// assembly, on amd64 and arm64. The digests may only change together with the format of results.
func TestGoldenBits(t *testing.T) {
	want := map[string]string{
		"dense":                "876c4832de27",
		"dense over time":      "8f31170ac58b",
		"activations":          "807962ae335d",
		"leaky relu":           "c6abcfd99a4a",
		"conv2d":               "b1023a457571",
		"dilated groups":       "03ce3a6480ca",
		"conv2d_transpose":     "607d360146d9",
		"max_pool2d":           "8adcaddccc24",
		"average_pool2d":       "a37bd5375872",
		"global pools":         "aec97aad4146",
		"global max":           "2d9a8163d310",
		"reshape":              "d7e506b28e1b",
		"batch_norm":           "72ba9a084d91",
		"layer_norm":           "60da72ebf0ad",
		"embedding":            "74f6e2df43f1",
		"simple_rnn":           "38f0ce314ed9",
		"lstm":                 "1ec5599bda24",
		"gru":                  "d865ab381b51",
		"masked lstm":          "c4edba98c19c",
		"masked gru":           "8047d2d7539b",
		"masked simple_rnn":    "3c70cc490991",
		"bidirectional":        "49e420c058d8",
		"bidirectional sum":    "2b3bd37f740a",
		"bidirectional mul":    "577dacc9d700",
		"bidirectional ave":    "30268f012517",
		"time_distributed":     "4d87ceb36ce2",
		"residual":             "29698701c4bd",
		"multi_head_attention": "25b5b498de84",
		"masked attention":     "4f3ccc0a200b",
		"transformer_block":    "11d7972d2efc",
	}
	optimizers := []spec.Optimizer{
		{Type: "adam", Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}, {Type: "sgd", Momentum: 0.9, ClipGlobalNorm: 0.1},
		{Type: "rmsprop", Rho: 0.9, Epsilon: 1e-8, Centered: true}, {Type: "adagrad", Epsilon: 1e-8},
		{Type: "adamw", Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, WeightDecay: 0.1},
	}
	for i, d := range differenceCases() {
		job, data, b := d.job()
		job.Optimizer = optimizers[i%len(optimizers)]
		r := newTrainer(t, job, data, b.N)
		r.net.Init(r.params, 7)
		for range 2 {
			r.step(t, b, 0.01)
		}
		h := sha256.New()
		for _, v := range r.params {
			x := math.Float32bits(v)
			h.Write([]byte{byte(x), byte(x >> 8), byte(x >> 16), byte(x >> 24)})
		}
		if got := hex.EncodeToString(h.Sum(nil))[:12]; got != want[d.name] {
			t.Errorf("digest is now\n\t\t%q: %q,", d.name, got)
		}
	}
}
