package serve

import (
	"strings"
	"testing"

	"lockstep/internal/dataset"
	"lockstep/internal/infer"
)

func arrays(t testing.TB) *infer.Model {
	return open(t, `
  dataset: {format: jsonl, source: "file:///d", target: {column: y, type: category}}
  model: {layers: [{type: dense, units: 1}]}
  loss: {type: mse}
`, dataset.Info{Shape: []int{5}, TargetShape: []int{1}, Columns: []dataset.Column{
		{Name: "p", Type: "number", Shape: []int{2, 2}, Preprocessing: "standardize", Centers: []float64{1, 0, 0, 0}, Scales: []float64{1, 1, 1, 2}}, {Name: "q", Type: "number"}}})
}

// TestArrayColumns: a column whose cells are arrays is a tensor of records of its shape.
func TestArrayColumns(t *testing.T) {
	h := start(t, config(arrays(t)))
	if code, text := ask(t, h.URL+"/v2/models/m", ""); code != 200 || !strings.Contains(text, `{"name":"p","datatype":"FP64","shape":[-1,2,2]},{"name":"q","datatype":"FP64","shape":[-1]}`) {
		t.Errorf("%d %s", code, text)
	}
	const q = `{"name":"q","shape":[2],"datatype":"FP32","data":[1,2]}`
	// The kernel is 0, 1, 2, 3, 4, and the bias 0: of p only the last number counts half.
	body := `{"inputs":[{"name":"p","shape":[2,2,2],"datatype":"FP32","data":[[[1,1],[1,2]],[[9,0],[0,0]]]},` + q + `]}`
	if code, text := ask(t, h.URL+"/v2/models/m/infer", body); code != 200 || !strings.Contains(text, `"data":[10,8]`) {
		t.Errorf("%d %s", code, text)
	}
	for p, want := range map[string]string{
		`"shape":[2,4],"datatype":"FP32","data":[1,1,1,2,9,0,0,0]`:                    `input \"p\": want records of shape [2 2], all numbers`,
		`"shape":[2,2,2],"datatype":"BYTES","data":["1","1","1","1","1","1","1","1"]`: `input \"p\": want records of shape [2 2], all numbers`,
		`"shape":[2],"datatype":"FP32","data":[1,1]`:                                  `input \"p\": want records of shape [2 2], all numbers`,
	} {
		if code, text := ask(t, h.URL+"/v2/models/m/infer", `{"inputs":[{"name":"p",`+p+`},`+q+`]}`); code != 400 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", p, code, text)
		}
	}
}
