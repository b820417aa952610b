package dataset

// tableBlock is about how many numbers are stored together.
const tableBlock = 1 << 18

// table is a decoded table: numbers as they are, categories as the number of their value.
type table struct {
	path     string
	n        int         // rows
	columns  int         // elements of a row
	perBlock int         // rows in a block
	blocks   [][]float32 // the last may not be full
	target   []float32   // of all rows; nil without a target
}

func newTable(path string, columns int) *table {
	return &table{path: path, columns: columns, perBlock: max(1, tableBlock/columns)}
}

// grow returns room for the next row.
func (t *table) grow() []float32 {
	k := len(t.blocks) - 1
	if k < 0 || len(t.blocks[k]) == cap(t.blocks[k]) {
		t.blocks = append(t.blocks, make([]float32, 0, t.perBlock*t.columns))
		k++
	}
	b := t.blocks[k]
	t.blocks[k] = b[:len(b)+t.columns]
	return t.blocks[k][len(b):]
}

// row returns row i.
func (t *table) row(i int) []float32 {
	at := i % t.perBlock * t.columns
	return t.blocks[i/t.perBlock][at : at+t.columns]
}

// close settles the values of all categories, in the reader and in the table from which they were collected.
func (r *tableReader) close(t *table) {
	slot := 0
	for _, c := range r.features {
		if renumber := c.close(); renumber != nil {
			for i := range t.n {
				v := &t.row(i)[slot]
				*v = float32(renumber[int(*v)])
			}
		}
		slot += c.slots()
	}
	if r.target == nil {
		return
	}
	if renumber := r.target.close(); renumber != nil {
		for i, v := range t.target {
			t.target[i] = float32(renumber[int(v)])
		}
	}
}
