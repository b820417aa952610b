package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"lockstep/internal/dataset"
	"lockstep/internal/infer"
)

// request is an inference request.
type request struct {
	ID         string          `json:"id"`
	Parameters json.RawMessage `json:"parameters"`
	Inputs     []tensor        `json:"inputs"`
	Outputs    []struct {
		Name       string          `json:"name"`
		Parameters json.RawMessage `json:"parameters"`
	} `json:"outputs"`
}

// tensor is an array of a request.
type tensor struct {
	Name       string          `json:"name"`
	Shape      []int           `json:"shape"`
	Datatype   string          `json:"datatype"`
	Parameters json.RawMessage `json:"parameters"`
	Data       elements        `json:"data"`
}

// elements are the numbers or the texts of a tensor, flat or nested.
type elements struct {
	numbers []float64
	texts   []string
}

// UnmarshalJSON reads them one by one: a list of any would take many times the memory.
func (e *elements) UnmarshalJSON(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if len(raw) == 0 || raw[0] != '[' {
		return errors.New("data is not an array")
	}
	for {
		t, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case json.Delim:
			if t == '{' {
				return errors.New("data has an object in it")
			}
		case float64:
			e.numbers = append(e.numbers, t)
		case bool:
			e.numbers = append(e.numbers, map[bool]float64{true: 1}[t])
		case string:
			e.texts = append(e.texts, t)
		default:
			return errors.New("data has a null in it")
		}
	}
	if e.numbers != nil && e.texts != nil {
		return errors.New("data has numbers and texts")
	}
	return nil
}

func (e *elements) len() int { return len(e.numbers) + len(e.texts) }

// cell is what record i has, as the text of a cell of the given shape.
func (t *tensor) cell(i int, shape []int) string {
	if t.Data.texts != nil {
		return t.Data.texts[i]
	}
	each := len(t.Data.numbers) / t.Shape[0]
	return dataset.CellText(t.Data.numbers[i*each:(i+1)*each], shape)
}

// datatypes that a request may have; those of numbers are all read alike.
var datatypes = map[string]bool{"BOOL": true, "UINT8": true, "UINT16": true, "UINT32": true, "UINT64": true, "INT8": true, "INT16": true,
	"INT32": true, "INT64": true, "FP16": true, "FP32": true, "FP64": true, "BYTES": true}

// check compares a tensor with what it says of itself, and returns its number of records.
func (t *tensor) check(limit int) (int, error) {
	if !datatypes[t.Datatype] {
		return 0, fmt.Errorf("input %q: datatype %q is not known", t.Name, t.Datatype)
	}
	if len(t.Shape) == 0 || t.Shape[0] < 1 {
		return 0, fmt.Errorf("input %q: shape %v, want the number of records first, at least 1", t.Name, t.Shape)
	}
	if t.Shape[0] > limit {
		return 0, fmt.Errorf("input %q: %d records, at most %d go into a request", t.Name, t.Shape[0], limit)
	}
	n := 1
	for _, d := range t.Shape {
		if d < 1 || n > t.Data.len()/d+1 {
			n = -1
			break
		}
		n *= d
	}
	if n != t.Data.len() {
		return 0, fmt.Errorf("input %q: shape %v does not fit %d elements", t.Name, t.Shape, t.Data.len())
	}
	if (t.Datatype == "BYTES") != (t.Data.texts != nil) {
		return 0, fmt.Errorf("input %q: datatype %s does not fit its data", t.Name, t.Datatype)
	}
	return t.Shape[0], nil
}

// decode reads a request's records.
func decode(m *infer.Model, body []byte, limit int) (*request, []infer.Record, error) {
	r := new(request)
	if err := json.Unmarshal(body, r); err != nil {
		return nil, nil, fmt.Errorf("request: %w", err)
	}
	if len(r.Inputs) == 0 {
		return nil, nil, errors.New("request: no inputs")
	}
	n := 0
	for i := range r.Inputs {
		rows, err := r.Inputs[i].check(limit)
		if err != nil {
			return nil, nil, err
		}
		if i > 0 && rows != n {
			return nil, nil, fmt.Errorf("input %q has %d records, input %q %d", r.Inputs[0].Name, n, r.Inputs[i].Name, rows)
		}
		n = rows
	}
	if err := known(m, r); err != nil {
		return nil, nil, err
	}
	records, err := records(m, r.Inputs, n)
	return r, records, err
}

// known finds an output that there is not.
func known(m *infer.Model, r *request) error {
	for _, o := range r.Outputs {
		if o.Name != "output" && !(m.Decides() && (o.Name == "class" || o.Name == "probability")) {
			return fmt.Errorf("there is no output %q", o.Name)
		}
	}
	return nil
}

func records(m *infer.Model, inputs []tensor, n int) ([]infer.Record, error) {
	if columns := m.Input.ColumnNames(); columns != nil && !(len(inputs) == 1 && inputs[0].Name == "input") {
		return fromColumns(m, columns, inputs, n)
	}
	if len(inputs) != 1 || inputs[0].Name != "input" {
		return nil, fmt.Errorf("input %q: the model has one input, %q", inputs[len(inputs)-1].Name, "input")
	}
	data := &inputs[0].Data
	out := make([]infer.Record, n)
	per := data.len() / n
	for i := range out {
		var err error
		if data.texts != nil && per == 1 {
			out[i], err = m.FromText(data.texts[i])
		} else if data.texts != nil {
			err = errors.New("a record is one text")
		} else {
			out[i], err = m.FromNumbers(data.numbers[i*per : (i+1)*per])
		}
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", i, err)
		}
	}
	return out, nil
}

// fromColumns puts rows together.
func fromColumns(m *infer.Model, columns []string, inputs []tensor, n int) ([]infer.Record, error) {
	at := map[string]*tensor{}
	for i := range inputs {
		if at[inputs[i].Name] != nil {
			return nil, fmt.Errorf("input %q is given twice", inputs[i].Name)
		}
		at[inputs[i].Name] = &inputs[i]
	}
	for _, c := range m.Data.Columns {
		t := at[c.Name]
		switch {
		case t == nil:
			return nil, fmt.Errorf("input %q is missing", c.Name)
		case len(c.Shape) == 0 && t.Data.len() != n:
			return nil, fmt.Errorf("input %q: want one element a record, not %d", c.Name, t.Data.len()/n)
		case len(c.Shape) > 0 && (!slices.Equal(t.Shape[1:], c.Shape) || t.Data.texts != nil):
			return nil, fmt.Errorf("input %q: want records of shape %v, all numbers", c.Name, c.Shape)
		}
	}
	out, cells := make([]infer.Record, n), make([]string, len(columns))
	for i := range out {
		for k, name := range columns {
			cells[k] = at[name].cell(i, m.Data.Columns[k].Shape)
		}
		var err error
		if out[i], err = m.FromCells(cells); err != nil {
			return nil, fmt.Errorf("record %d%w", i, err)
		}
	}
	return out, nil
}

// output is an array of a response.
type output struct {
	Name     string `json:"name"`
	Shape    []int  `json:"shape"`
	Datatype string `json:"datatype"`
	Data     any    `json:"data"`
}

// response is what an inference request gets.
type response struct {
	Model   string   `json:"model_name"`
	Version string   `json:"model_version"`
	ID      string   `json:"id,omitempty"`
	Outputs []output `json:"outputs"`
}

// respond makes the outputs that a request wants.
func respond(m *infer.Model, r *request, predictions []infer.Prediction) response {
	n := len(predictions)
	var values []float32
	classes, probabilities := make([]string, n), make([]float64, n)
	for i, p := range predictions {
		values = append(values, p.Output...)
		classes[i], probabilities[i] = p.Class, p.Probability
	}
	all := []output{{"output", append([]int{n}, m.OutputShape()...), "FP32", values}}
	if m.Decides() {
		all = append(all, output{"class", []int{n}, "BYTES", classes}, output{"probability", []int{n}, "FP64", probabilities})
	}
	out := response{Model: m.Name, Version: version, ID: r.ID}
	for _, o := range all {
		wanted := len(r.Outputs) == 0
		for _, w := range r.Outputs {
			wanted = wanted || w.Name == o.Name
		}
		if wanted {
			out.Outputs = append(out.Outputs, o)
		}
	}
	return out
}
