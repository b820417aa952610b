package dataset

import "fmt"

// tableRecords are the records of a table: its numbers, with one-hot categories between them, or ids.
type tableRecords struct {
	*table
	shape  []int // of a single array; nil otherwise
	number []int // the slots of numbers
	onehot []int // width of each slot in the input: 0 for a number
	ids    []int // the first id of each slot; nil unless the records are ids
	vocab  int
	inputs int // total width
}

// part returns the table as inputs and targets.
func (t *table) part(r *tableReader) (*part, error) {
	recs := &tableRecords{table: t}
	for _, c := range r.features {
		for range c.slots() {
			if c.category {
				recs.onehot = append(recs.onehot, len(c.values.names))
			} else {
				recs.number = append(recs.number, len(recs.onehot))
				recs.onehot = append(recs.onehot, 0)
			}
			if c.id {
				recs.ids = append(recs.ids, recs.vocab)
				recs.vocab += len(c.values.names)
			}
		}
		recs.inputs += c.inputs()
	}
	if c := r.features[0]; len(r.features) == 1 && c.dims != nil {
		recs.shape = channelsLast(c.dims)
	}
	if most := r.lim.record / 4; int64(recs.inputs) > most {
		return nil, &RecordError{File: t.path, Err: fmt.Errorf("its categories make %d inputs, over the limit of %d", recs.inputs, most)}
	}
	p := numericPart(recs)
	switch {
	case r.target == nil:
	case r.target.category:
		p.targets.labels = make([]int32, t.n)
		for i, v := range t.target {
			p.targets.labels[i] = int32(v)
		}
		t.target = nil
	default:
		p.targets.y, p.targets.width = t.target, r.target.width
	}
	return p, nil
}

func (t *tableRecords) len() int     { return t.n }
func (t *tableRecords) numbers() int { return len(t.number) }
func (t *tableRecords) width() int   { return t.inputs }

// channels: each number column is one; an array has those of its last axis.
func (t *tableRecords) channels() int {
	if t.shape != nil {
		return t.shape[len(t.shape)-1]
	}
	return max(1, len(t.number))
}

// form is the shape of a record.
func (t *tableRecords) form() []int {
	if t.shape != nil {
		return t.shape
	}
	return []int{t.inputs}
}

func (t *tableRecords) place(i int) (string, int) { return t.path, i + 1 }

func (t *tableRecords) decode(dst []float64, i int) error {
	return t.with(i, func(row tableRow) {
		for k, j := range t.number {
			dst[k] = float64(row.at(j))
		}
	})
}

// prepare preprocesses the numbers where they are.
func (t *tableRecords) prepare(p steps) error {
	if len(p) == 0 {
		return nil
	}
	channels := t.channels()
	return t.update(func(row tableRow) {
		for k, j := range t.number {
			row.set(j, float32(p.apply(float64(row.at(j)), k%channels)))
		}
	})
}

func (t *tableRecords) read(dst []float32, i int) error {
	return t.with(i, func(row tableRow) { t.expand(dst[:t.inputs], row) })
}

// expand makes categories one-hot.
func (t *tableRecords) expand(dst []float32, row tableRow) {
	clear(dst)
	for j := range t.columns {
		if n := t.onehot[j]; n > 0 {
			dst[int(row.at(j))] = 1
			dst = dst[n:]
		} else {
			dst[0] = row.at(j)
			dst = dst[1:]
		}
	}
}

// readIDs fills the ids of record i: every column has ids of its own.
func (t *tableRecords) readIDs(dst []int32, i int) error {
	return t.with(i, func(row tableRow) {
		for j := range t.columns {
			dst[j] = int32(t.ids[j] + int(row.at(j)))
		}
	})
}
