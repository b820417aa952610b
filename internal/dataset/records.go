package dataset

// records are the decoded records of one group of files. What reads them asks for one at a
// time and in an order known ahead of the step: of those that do not fit into memory only the blocks in use are there.
//
// They may be read by many goroutines at once, once they are settled: see numeric and windows.
type records interface {
	len() int
	width() int                // numbers or token ids in the input of one
	place(i int) (string, int) // the file of record i, and its number there, from 1
}

// numeric are records of numbers. decode may be used until prepare; read from then on.
type numeric interface {
	records
	channels() int                     // number of channels that are preprocessed
	numbers() int                      // length of what decode fills: a multiple of channels
	decode(dst []float64, i int) error // the numbers of record i, before preprocessing
	prepare(p steps) error             // settles the preprocessing
	read(dst []float32, i int) error   // record i as the model reads it
}

// targets are what the model is to predict, one for each numeric record: labels, or width numbers, or neither, when a
// record is its own target.
type targets struct {
	labels []int32
	y      []float32
	width  int
}

// part is one group of files: inputs and targets. Exactly one of numeric and windows is not nil; it is the records.
type part struct {
	records
	numeric numeric
	windows *windows // of text: inputs and targets
	targets targets
}

// numericPart returns r as inputs, their targets to be filled in.
func numericPart(r numeric) *part { return &part{records: r, numeric: r} }

// sample gives the numbers of the records in index to a fit.
func (p *part) sample(index []int32) sample {
	s := sample{channels: p.numeric.channels(), err: new(error)}
	s.records = func(yield func([]float64) bool) {
		r := make([]float64, p.numeric.numbers())
		for _, i := range index {
			if *s.err = p.numeric.decode(r, int(i)); *s.err != nil || !yield(r) {
				return
			}
		}
	}
	return s
}
