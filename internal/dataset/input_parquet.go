package dataset

import (
	"context"
	"errors"
	"io"

	"lockstep/internal/source"
)

// Parquet calls emit with the text of each of the columns, by their names and as Cells takes it, of every record of a parquet
// file. Errors of emit get the record's place. The file's other columns are ignored.
func (in *Input) Parquet(ctx context.Context, path string, emit func(cells []string) error) error {
	tree, err := source.Open(path)
	if err != nil {
		return err
	}
	r, path, err := openParquet(ctx, tree, "", defaultLimits)
	if err != nil {
		return err
	}
	settled := &tableReader{lim: defaultLimits}
	for _, c := range in.info.Columns {
		settled.features = append(settled.features, &column{name: c.Name, category: c.Type == "category"})
	}
	places, err := settled.settle(path, r.names())
	if err == nil {
		err = in.rows(r, places, emit)
	}
	return errors.Join(err, r.close())
}

// rows reads records to the end.
func (in *Input) rows(r rows, places []int, emit func(cells []string) error) error {
	cells := make([]string, len(places))
	for {
		err := r.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for i, place := range places {
			if cells[i], err = in.cell(r, i, place); err != nil {
				return r.fault(place, err)
			}
		}
		if err := emit(cells); err != nil {
			return inRow(r, err)
		}
	}
}

// cell is the text of column i; that of a missing value is empty.
func (in *Input) cell(r rows, i, place int) (string, error) {
	if in.info.Columns[i].Type == "category" {
		return r.text(place)
	}
	x, dims, err := r.numbers(place, nil)
	if errors.Is(err, errMissing) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	numbers := make([]float64, len(x))
	for i, v := range x {
		numbers[i] = float64(v)
	}
	return CellText(numbers, dims), nil
}

// inRow puts the place of the last row to an error, which may know its column.
func inRow(r rows, err error) error {
	var cell, row *RecordError
	placed := r.fault(-1, err)
	if !errors.As(err, &cell) || !errors.As(placed, &row) {
		return placed
	}
	e := *cell
	e.File, e.Record, e.Line = row.File, row.Record, row.Line
	return &e
}
