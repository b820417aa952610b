package dataset

import "slices"

// maxTables is the number of channels up to which bytes are preprocessed by table.
const maxTables = 16

// arrayRecords are the records of one array.
type arrayRecords struct {
	*array
	shape  []int
	steps  steps
	tables [][256]float32 // of bytes: one for each channel, or one for all; nil: computed each time
}

// newArrayRecords gives planes (height, width) one channel, and single elements one axis.
func newArrayRecords(a *array) *arrayRecords {
	return &arrayRecords{array: a, shape: channelsLast(a.dims)}
}

// channelsLast is the shape of a record: planes (height, width) get one channel, and single elements one axis.
func channelsLast(dims []int) []int {
	shape := slices.Clone(dims)
	if n := len(dims); n == 0 || n == 2 {
		shape = append(shape, 1)
	}
	return shape
}

func (r *arrayRecords) len() int      { return r.n }
func (r *arrayRecords) numbers() int  { return r.elements }
func (r *arrayRecords) width() int    { return r.elements }
func (r *arrayRecords) form() []int   { return r.shape }
func (r *arrayRecords) channels() int { return r.shape[len(r.shape)-1] }

func (r *arrayRecords) place(i int) (string, int) { return r.path, i + 1 }

// decode rounds to float32: a record is the same whatever it is stored as.
func (r *arrayRecords) decode(dst []float64, i int) error {
	return r.with(i, func(rec []byte) {
		for j := range dst {
			dst[j] = float64(float32(r.number(rec, j)))
		}
	})
}

func (r *arrayRecords) prepare(p steps) error {
	r.steps = p
	n := r.channels()
	if p.uniform() {
		n = 1
	}
	if r.element.size != 1 || n > maxTables {
		return nil
	}
	r.tables = make([][256]float32, n)
	for c := range r.tables {
		for v := range r.tables[c] {
			r.tables[c][v] = float32(p.apply(r.element.number([]byte{byte(v)}), c))
		}
	}
	return nil
}

func (r *arrayRecords) read(dst []float32, i int) error {
	return r.with(i, func(rec []byte) { r.convert(dst, rec) })
}

// convert gives the numbers of a record as the model reads them.
func (r *arrayRecords) convert(dst []float32, rec []byte) {
	dst = dst[:r.elements]
	switch {
	case len(r.tables) == 1:
		t := &r.tables[0]
		for j, v := range rec {
			dst[j] = t[v]
		}
	case r.tables != nil:
		for j := 0; j < len(rec); j += len(r.tables) {
			for c := range r.tables {
				dst[j+c] = r.tables[c][rec[j+c]]
			}
		}
	default:
		n := r.channels()
		for j := range dst {
			dst[j] = float32(r.steps.apply(float64(float32(r.number(rec, j))), j%n))
		}
	}
}
