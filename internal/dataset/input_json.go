package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Object returns the text of each column, as Cells takes it, of a record that is a JSON object; keys that are no columns are
// ignored. An error about a value is a *RecordError with its column.
func (in *Input) Object(raw []byte) ([]string, error) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, err
	}
	cells := make([]string, len(in.info.Columns))
	for i, c := range in.info.Columns {
		v, ok := values[c.Name]
		if !ok {
			return nil, fmt.Errorf("no %q, which the model reads", c.Name)
		}
		var err error
		if cells[i], err = c.jsonCell(v); err != nil {
			return nil, &RecordError{Column: c.Name, Value: string(v), Err: err}
		}
	}
	return cells, nil
}

// jsonCell takes a category as training does; the text of a number may also be quoted.
func (c *Column) jsonCell(v []byte) (string, error) {
	switch {
	case v[0] == '{':
		return "", errors.New("is neither a number nor a text")
	case c.Type == "category" || v[0] == '"' || v[0] == 'n':
		return jsonText(v)
	case v[0] == 't':
		return "1", nil
	case v[0] == 'f':
		return "0", nil
	}
	return string(v), nil
}
