package infer

import (
	"bufio"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
)

// Writer writes predictions as csv (class and probability, or the outputs), as a JSON array, or as npy (the outputs).
type Writer struct {
	w      *bufio.Writer
	format string
	m      *Model
	csv    *csv.Writer
	n      int
	raw    []byte // npy: its header has the number of records
}

// NewWriter begins.
func NewWriter(w io.Writer, format string, m *Model) (*Writer, error) {
	out := &Writer{w: bufio.NewWriter(w), format: format, m: m}
	if format != "csv" {
		return out, nil
	}
	out.csv = csv.NewWriter(out.w)
	header := []string{"class", "probability"}
	if m.decides == decidesNothing {
		header = header[:0]
		for i := range volume(m.OutputShape()) {
			header = append(header, fmt.Sprintf("output_%d", i))
		}
	}
	return out, out.csv.Write(header)
}

// Write writes a prediction.
func (o *Writer) Write(p Prediction) error {
	o.n++
	switch o.format {
	case "npy":
		for _, v := range p.Output {
			o.raw = binary.LittleEndian.AppendUint32(o.raw, math.Float32bits(v))
		}
		return nil
	case "json":
		text, err := json.Marshal(p)
		if err != nil {
			return err
		}
		before := ",\n"
		if o.n == 1 {
			before = "["
		}
		if _, err := o.w.WriteString(before); err != nil {
			return err
		}
		_, err = o.w.Write(text)
		return err
	}
	row := []string{p.Class, strconv.FormatFloat(p.Probability, 'g', 6, 64)}
	if o.m.decides == decidesNothing {
		row = row[:0]
		for _, v := range p.Output {
			row = append(row, strconv.FormatFloat(float64(v), 'g', -1, 32))
		}
	}
	return o.csv.Write(row)
}

// Close writes what is left.
func (o *Writer) Close() error {
	switch o.format {
	case "npy":
		if err := WriteNpyHeader(o.w, append([]int{o.n}, o.m.OutputShape()...)); err != nil {
			return err
		}
		if _, err := o.w.Write(o.raw); err != nil {
			return err
		}
	case "json":
		end := "]\n"
		if o.n == 0 {
			end = "[]\n"
		}
		if _, err := o.w.WriteString(end); err != nil {
			return err
		}
	default:
		if o.csv.Flush(); o.csv.Error() != nil {
			return o.csv.Error()
		}
	}
	return o.w.Flush()
}
