package dataset

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lockstep/internal/dataset/blocks"
	"lockstep/internal/source"
	"lockstep/internal/spec"
)

// Info describes an opened dataset. Its slices are shared: do not change them. Its JSON form is kept with a model, for those
// who use it.
type Info struct {
	Shape       []int      `json:"shape"`             // of one record as the format tells it, channels last: [features], [height, width, channels]
	Integer     bool       `json:"integer,omitempty"` // inputs are ids below Vocab, in Batch.IDs; otherwise numbers in Batch.X
	Vocab       int        `json:"vocab,omitempty"`
	TargetShape []int      `json:"target_shape,omitempty"` // of one record's target: numbers in Batch.Y, or classes in Batch.Labels; nil for one class
	Classes     []string   `json:"classes,omitempty"`      // names in class order, the vocabulary in the order of ids; nil without classes, and for bytes
	ClassCount  int        `json:"class_count,omitempty"`
	Merges      [][2]int32 `json:"merges,omitempty"` // of a bpe tokenizer: token 256+k is the two tokens of merge k, one after the other

	// Records.
	Train int `json:"train"`
	Val   int `json:"val"`
	Test  int `json:"test"`

	// Fingerprint is the SHA-256 of all splits' records as the model reads them, before augmentation, and of the class
	// names. Equal fingerprints are equal training data, from whatever files and formats it came.
	Fingerprint [32]byte `json:"-"`

	Columns       []Column            `json:"columns,omitempty"`       // of tabular data, in input order; nil otherwise
	Preprocessing []spec.Preprocessor `json:"preprocessing,omitempty"` // the specification's list, with what was fitted
}

// Column is what was settled about a column that the model reads: enough to read new data in the same way.
type Column struct {
	Name          string    `json:"name"`
	Type          string    `json:"type"`                    // number | category
	Shape         []int     `json:"shape,omitempty"`         // of a cell that is an array
	Preprocessing string    `json:"preprocessing,omitempty"` // standardize: (x-Center)/Scale with mean and deviation; min_max: with least value and range
	Center        float64   `json:"center,omitempty"`
	Scale         float64   `json:"scale,omitempty"`
	Centers       []float64 `json:"centers,omitempty"`  // of a cell that is an array, in the place of Center and Scale: of each number, or of each channel where
	Scales        []float64 `json:"scales,omitempty"`   // the model reads nothing else
	Missing       string    `json:"missing,omitempty"`  // mean | median | value: a number that is missing is Fill; a category, the value "missing"
	Fill          float64   `json:"fill,omitempty"`     //
	Values        []string  `json:"values,omitempty"`   // of a category, in the order of the one-hot elements
	Encoding      string    `json:"encoding,omitempty"` // of a category: id instead of one-hot: its place in Values, after the ids of the columns before
	Unknown       string    `json:"unknown,omitempty"`  // bucket: a value that is not in Values counts as "unknown"
}

// Dataset is an opened dataset. It does not change, and is safe for concurrent use.
type Dataset struct {
	info   Info
	splits map[string]*Split
	space  *blocks.Space           // nil: all is in memory
	end    context.CancelCauseFunc // of reading from files
}

// InMemory reports whether reading never waits for a disk.
func (d *Dataset) InMemory() bool { return d.space == nil || d.space.InMemory() }

// Close frees what lies on disk. Nothing may be read afterwards.
func (d *Dataset) Close() error {
	d.end(errClosed)
	if d.space == nil {
		return nil
	}
	return d.space.Close()
}

var errClosed = errors.New("the dataset is closed")

// Info describes the dataset.
func (d *Dataset) Info() Info { return d.info }

// Split returns the split called train, val or test. One that the specification does not give has no records. It
// panics on another name.
func (d *Dataset) Split(name string) *Split {
	s := d.splits[name]
	if s == nil {
		panic(fmt.Sprintf("dataset: no split is called %q", name))
	}
	return s
}

// reader decodes one group of files of a format.
type reader interface {
	read(ctx context.Context, split string, files spec.Files) (*part, error)
}

// Open reads the dataset d of a job with the given seed, which decides how fractions of the train files are cut.
// Errors in the files are *RecordError.
func Open(ctx context.Context, d spec.Dataset, seed uint64) (*Dataset, error) {
	return OpenWith(ctx, d, seed, Options{})
}

// OpenWith is Open for datasets elsewhere, and for those that are larger than memory.
func OpenWith(ctx context.Context, d spec.Dataset, seed uint64, o Options) (*Dataset, error) {
	return openWith(ctx, d, seed, defaultLimits, o)
}

func open(ctx context.Context, d spec.Dataset, seed uint64, lim limits) (*Dataset, error) {
	return openWith(ctx, d, seed, lim, Options{})
}

func openWith(ctx context.Context, d spec.Dataset, seed uint64, lim limits, o Options) (*Dataset, error) {
	if o.Memory > 0 {
		lim.space = blocks.New(o.Memory, o.Dir)
	}
	life, end := context.WithCancelCause(context.WithoutCancel(ctx)) // files are read from until the dataset is closed
	opening := context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	ds := &Dataset{space: lim.space, end: end}
	err := ds.open(life, d, seed, lim, o)
	if !opening() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, ds.Close())
	}
	return ds, nil
}

func (ds *Dataset) open(ctx context.Context, d spec.Dataset, seed uint64, lim limits, o Options) error {
	src, err := o.tree(ctx, &d)
	if err != nil {
		return err
	}
	r, err := newReader(src, lim, &d)
	if err != nil {
		return err
	}
	b := builder{spec: &d, reader: r, info: Info{}, splits: map[string]*Split{}}
	if err := b.readParts(ctx); err != nil {
		return err
	}
	if err := b.cut(seed); err != nil {
		return err
	}
	if err := b.settle(); err != nil {
		return err
	}
	if b.splits["train"].augment, err = b.augmentation(seed); err != nil {
		return err
	}
	b.info.Train, b.info.Val, b.info.Test = b.splits["train"].Len(), b.splits["val"].Len(), b.splits["test"].Len()
	ds.info, ds.splits = b.info, b.splits
	ds.info.Fingerprint, err = ds.fingerprint(ctx)
	return err
}

// newReader returns what reads the files of a dataset's format.
func newReader(src source.Tree, lim limits, d *spec.Dataset) (reader, error) {
	switch d.Format {
	case "csv", "jsonl", "parquet":
		return newTableReader(src, lim, d)
	case "idx":
		return &idxReader{src: src, lim: lim, labels: newArrayLabels(d.Target)}, nil
	case "text":
		return newTextReader(src, lim, d.Text)
	case "npy":
		return &npyReader{src: src, lim: lim, labels: newArrayLabels(d.Target)}, nil
	case "npz":
		return &npzReader{src: src, lim: lim, labels: newArrayLabels(d.Target)}, nil
	case "image_folder":
		return newFolderReader(src, lim, d), nil
	}
	return nil, fmt.Errorf("unknown format %q: want csv, idx, npy, npz, image_folder, text, jsonl or parquet", d.Format)
}

// builder is a dataset while it is being opened.
type builder struct {
	spec   *spec.Dataset
	reader reader
	train  *part // the train files, before they are cut
	parts  []*part
	info   Info
	steps  steps // the whole preprocessing
	splits map[string]*Split
}

// readParts reads the files: train first, since it settles what the others have to fit.
func (b *builder) readParts(ctx context.Context) error {
	for _, name := range splitNames {
		files, err := b.files(ctx, name)
		if err != nil {
			return fmt.Errorf("read %s files: %w", name, err)
		}
		if files == nil {
			continue
		}
		p, err := b.reader.read(ctx, name, *files)
		if err != nil {
			return fmt.Errorf("read %s files: %w", name, err)
		}
		if b.train == nil {
			b.train = p
		} else if err := p.fits(b.train); err != nil {
			return fmt.Errorf("read %s files: %w", name, err)
		}
		b.parts = append(b.parts, p)
		b.splits[name] = &Split{part: p}
	}
	return nil
}

// files are those of a split, nil if it has none of its own. An archive of arrays may bring a test split.
func (b *builder) files(ctx context.Context, split string) (*spec.Files, error) {
	switch {
	case split == "train":
		return &b.spec.Train, nil
	case split == "val":
		return b.spec.Val, nil
	case b.spec.Test != nil || b.spec.Split != nil && b.spec.Split.Test > 0:
		return b.spec.Test, nil
	}
	if z, ok := b.reader.(*npzReader); ok {
		if has, err := z.hasTest(ctx, b.spec.Train); has || err != nil {
			return &b.spec.Train, err
		}
	}
	return nil, nil
}

// settle fits what is fitted to the training split, and fills in Info.
func (b *builder) settle() error {
	if r, ok := b.reader.(*textReader); ok {
		return b.settleText(r)
	}
	if r, ok := b.reader.(*tableReader); ok {
		if err := r.impute(b.parts, b.splits["train"].index); err != nil {
			return err
		}
	}
	s := b.train.sample(b.splits["train"].index)
	var first steps
	switch r := b.reader.(type) {
	case *tableReader:
		t := b.train.records.(*tableRecords)
		b.info.Shape, b.info.Integer, b.info.Vocab = t.form(), t.ids != nil, t.vocab
		b.info.Columns, first = r.fit(s)
		if r.target != nil && r.target.category {
			b.info.Classes = r.target.values.names
		}
	case *folderReader:
		b.info.Shape, b.info.Classes = b.train.records.(formed).form(), r.classes
	case arrayReader:
		b.info.Shape = b.train.records.(*arrayRecords).shape
		b.info.Classes = r.classNames()
	}
	all, fitted, err := s.fit(first, b.spec.Preprocessing)
	if *s.err != nil {
		err = *s.err
	}
	if err != nil {
		return err
	}
	b.info.Preprocessing, b.steps = fitted, all
	for _, p := range b.parts {
		if err := p.numeric.prepare(all); err != nil {
			return err
		}
	}
	b.info.ClassCount = len(b.info.Classes)
	switch t := b.train.targets; {
	case t.labels != nil:
	case t.width == 0: // a record is its own target
		b.info.TargetShape = slices.Clone(b.info.Shape)
	default:
		b.info.TargetShape = []int{t.width}
	}
	return nil
}
