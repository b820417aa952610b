package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"lockstep/internal/bundle"
	"lockstep/internal/dataset"
	"lockstep/internal/export"
	"lockstep/internal/infer"
	"lockstep/internal/spec"
)

// open makes a model whose tensors are 0, 1, 2, ...
func open(t testing.TB, text string, data dataset.Info) *infer.Model {
	t.Helper()
	j, err := spec.Parse("t.yaml", []byte("apiVersion: lockstep/v1\nkind: TrainJob\nmetadata: {name: m}\nspec:\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle.Bundle{Spec: j, Data: data}
	net, err := b.Network()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range net.Params() {
		v := make([]float32, p.Len)
		for i := range v {
			v[i] = float32(i)
		}
		b.Tensors = append([]export.Tensor{{Name: p.Name, Shape: p.Shape, Data: v}}, b.Tensors...) // bias before kernel
	}
	m, err := infer.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func table(t testing.TB) *infer.Model {
	return open(t, `
  dataset: {format: csv, source: "file:///d", train: {file: x.csv}, target: {column: y, type: category}}
  model: {layers: [{type: dense, units: 2}]}
  loss: {type: cross_entropy}
`, dataset.Info{Shape: []int{3}, Classes: []string{"no", "yes"}, ClassCount: 2, Columns: []dataset.Column{
		{Name: "a", Type: "number"}, {Name: "c", Type: "category", Values: []string{"u", "v"}}}})
}

func plain(t testing.TB) *infer.Model {
	return open(t, `
  dataset: {format: idx, source: "file:///d", train: {images: x, labels: y}}
  model: {layers: [{type: flatten}, {type: dense, units: 1}]}
  loss: {type: mse}
`, dataset.Info{Shape: []int{1, 2, 1}, TargetShape: []int{1}})
}

func config(m *infer.Model) Config {
	return Config{Model: m, Workers: 1, Batch: 4, Wait: time.Millisecond, Queue: 64, Records: 8, Body: 1 << 12, Deadline: time.Minute, Drain: time.Minute,
		Log: slog.New(slog.DiscardHandler)}
}

func start(t *testing.T, cfg Config) *httptest.Server {
	t.Helper()
	s := New(cfg)
	h := httptest.NewServer(s.Handler())
	t.Cleanup(func() { h.Close(); s.Close() })
	return h
}

func ask(t *testing.T, url, body string) (int, string) {
	t.Helper()
	var r *http.Response
	var err error
	if body == "" {
		r, err = http.Get(url)
	} else {
		r, err = http.Post(url, "application/json", strings.NewReader(body))
	}
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return r.StatusCode, string(text)
}

func TestProtocol(t *testing.T) {
	h := start(t, config(table(t)))
	for path, want := range map[string]string{
		"/v2":                     `"name":"lockstep"`,
		"/v2/health/live":         `{"live":true}`,
		"/v2/health/ready":        `"ready":true`,
		"/v2/models/m/ready":      `"ready":true`,
		"/v2/models/m":            `"inputs":[{"name":"a","datatype":"FP64","shape":[-1]},{"name":"c","datatype":"BYTES","shape":[-1]}]`,
		"/v2/models/m/versions/1": `"versions":["1"]`,
	} {
		if code, text := ask(t, h.URL+path, ""); code != 200 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	columns := `{"id":"x","inputs":[{"name":"c","shape":[2],"datatype":"BYTES","data":["v","u"]},{"name":"a","shape":[2,1],"datatype":"FP32","data":[[1],[2]]}]%s}`
	code, text := ask(t, h.URL+"/v2/models/m/versions/1/infer", fmt.Sprintf(columns, ""))
	want := `{"model_name":"m","model_version":"1","id":"x","outputs":[{"name":"output","shape":[2,2],"datatype":"FP32","data":[4,7,2,6]},` +
		`{"name":"class","shape":[2],"datatype":"BYTES","data":["yes","yes"]},{"name":"probability","shape":[2],"datatype":"FP64","data":[`
	if code != 200 || !strings.HasPrefix(text, want) {
		t.Errorf("%d %s\nwant %s", code, text, want)
	}
	if code, text := ask(t, h.URL+"/v2/models/m/infer", fmt.Sprintf(columns, `,"outputs":[{"name":"class"}]`)); code != 200 || strings.Contains(text, "probability") {
		t.Errorf("%d %s", code, text)
	}
	if code, text := ask(t, h.URL+"/metrics", ""); code != 200 || !strings.Contains(text, "lockstep_serve_records_total 4") {
		t.Errorf("%d %s", code, text)
	}
}

func TestBadRequests(t *testing.T) {
	h := start(t, config(plain(t)))
	input := func(shape, datatype, data string) string {
		return fmt.Sprintf(`{"inputs":[{"name":"input","shape":%s,"datatype":%q,"data":%s}]}`, shape, datatype, data)
	}
	if code, text := ask(t, h.URL+"/v2/models/m/infer", input("[2,1,2,1]", "FP32", "[1,2,3,4]")); code != 200 || !strings.Contains(text, `"data":[2,4]`) {
		t.Errorf("%d %s", code, text)
	}
	for body, want := range map[string]string{
		`{`:                                                   "unexpected end of JSON",
		`{"inputs":[]}`:                                       "no inputs",
		input("[1,2]", "FP32", "[1,null]"):                    "null",
		input("[1,2]", "FP32", `{"a":1}`):                     "not an array",
		input("[1,2]", "FP32", `[1,"a"]`):                     "numbers and texts",
		input("[1,2]", "FP31", "[1,2]"):                       `datatype "FP31"`,
		input("[]", "FP32", "[1,2]"):                          "number of records",
		input("[1,3]", "FP32", "[1,2]"):                       "does not fit 2 elements",
		input("[1,-2]", "FP32", "[1,2]"):                      "does not fit",
		input("[1,3]", "FP32", "[1,2,3]"):                     "record 0: 3 numbers, want 2",
		input("[9]", "FP32", "[1]"):                           "9 records, at most 8",
		input("[1,2]", "BYTES", "[1,2]"):                      "datatype BYTES",
		input("[1]", "BYTES", `["x"]`):                        "numbers, not text",
		input("[1,2]", "FP64", "[1,1e300]"):                   "range of float32",
		input("[4611686018427387905,4]", "FP32", "[1,2,3,4]"): "at most 8",
		input("[4,4611686018427387905]", "FP32", "[1,2,3,4]"): "does not fit",
		`{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}`:                                  `one input, "input"`,
		`{"inputs":[{"name":"input","shape":[1,2],"datatype":"FP32","data":[1,2]}],"outputs":[{"name":"class"}]}`: `no output "class"`,
	} {
		if code, text := ask(t, h.URL+"/v2/models/m/infer", body); code != 400 || !strings.Contains(strings.ReplaceAll(text, `\"`, `"`), want) {
			t.Errorf("%s: %d %s, want %s", body, code, text, want)
		}
	}
	if code, text := ask(t, h.URL+"/v2/models/m/infer", `{"x":"`+strings.Repeat("y", 1<<12)+`"}`); code != 413 || !strings.Contains(text, "more than 4096 bytes") {
		t.Errorf("%d %s", code, text)
	}
	for _, path := range []string{"/v2/models/other", "/v2/models/m/versions/2", "/v3"} {
		if code, text := ask(t, h.URL+path, ""); code != 404 || !strings.Contains(text, "error") {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	tables := start(t, config(table(t)))
	bad := `{"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[1]},{"name":"c","shape":[1],"datatype":"BYTES","data":["w"]}]}`
	if code, text := ask(t, tables.URL+"/v2/models/m/infer", bad); code != 400 || !strings.Contains(text, "not among the values") {
		t.Errorf("%d %s", code, text)
	}
}

// TestRequestsTogether: each of many clients gets its own records' predictions, and batches have more than one.
func TestRequestsTogether(t *testing.T) {
	cfg := config(plain(t))
	cfg.Wait = time.Minute // a batch is computed when it is full, and not before
	h := start(t, cfg)
	var g sync.WaitGroup
	for i := range 8 {
		g.Go(func() {
			body := fmt.Sprintf(`{"inputs":[{"name":"input","shape":[2,2],"datatype":"INT32","data":[0,%d,0,%d]}]}`, i, i+100)
			if code, text := ask(t, h.URL+"/v2/models/m/infer", body); code != 200 || !strings.Contains(text, fmt.Sprintf(`"data":[%d,%d]`, i, i+100)) {
				t.Errorf("%d: %d %s", i, code, text)
			}
		})
	}
	g.Wait()
	if _, text := ask(t, h.URL+"/metrics", ""); !strings.Contains(text, "lockstep_serve_batch_records_count 4\n") {
		t.Errorf("want 4 batches of 4: %s", text)
	}
}

// TestLimits: what finds no room is refused, and what takes too long is given up.
func TestLimits(t *testing.T) {
	cfg := config(plain(t))
	cfg.Wait, cfg.Queue, cfg.Deadline = time.Hour, 1, 50*time.Millisecond
	h := start(t, cfg)
	body := `{"inputs":[{"name":"input","shape":[1,2],"datatype":"FP32","data":[1,2]}]}`
	if code, text := ask(t, h.URL+"/v2/models/m/infer", body); code != http.StatusGatewayTimeout {
		t.Errorf("%d %s", code, text)
	}
	b := &batcher{rows: 1, queue: make(chan *work, 1), closing: make(chan struct{})}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.predict(gone, nil); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	if _, err := b.predict(t.Context(), nil); err != errBusy {
		t.Errorf("got %v", err)
	}
	b.close()
	if _, err := b.predict(t.Context(), nil); err != errClosed {
		t.Errorf("got %v", err)
	}
}

// TestShutdown: a server answers, and ends when it is told to.
func TestShutdown(t *testing.T) {
	cfg := config(plain(t))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(cfg)
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l) }()
	answered := make(chan int, 1)
	go func() {
		code, _ := ask(t, "http://"+l.Addr().String()+"/v2/models/m/infer", `{"inputs":[{"name":"input","shape":[4,2],"datatype":"FP32","data":[1,2,3,4,5,6,7,8]}]}`)
		answered <- code
	}()
	if code := <-answered; code != 200 {
		t.Errorf("answered %d", code)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if s.Close(); !s.ending.Load() {
		t.Error("it is ready although it has ended")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"inputs":[{"name":"input","shape":[1,2],"datatype":"FP32","data":[1,2]}]}`))
	f.Add([]byte(`{"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[1]},{"name":"c","shape":[1],"datatype":"BYTES","data":["u"]}]}`))
	models := []*infer.Model{table(f), plain(f)}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, m := range models {
			r, records, err := decode(m, body, 8)
			if err != nil {
				continue
			}
			if len(records) < 1 || len(records) > 8 {
				t.Fatalf("%d records", len(records))
			}
			predictions, err := m.NewPredictor(8).Predict(records)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := json.Marshal(respond(m, r, predictions)); err != nil && !bytes.Contains([]byte(err.Error()), []byte("unsupported value")) {
				t.Fatal(err)
			}
		}
	})
}
