// Package spec is the job specification: YAML text to a validated Job with every default filled in, and errors
// that point at file, line and column.
package spec

// Job is a whole specification file: a Kubernetes-style envelope around a TrainJob.
type Job struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   Metadata `json:"metadata"`
	Spec       TrainJob `json:"spec"`
}

// Metadata names a job.
type Metadata struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
}

// TrainJob is all that a job's result depends on, together with the data it names.
type TrainJob struct {
	Seed          uint64         `json:"seed"`
	Dataset       Dataset        `json:"dataset"`
	Model         Model          `json:"model"`
	Loss          Loss           `json:"loss"`
	Metrics       []Metric       `json:"metrics,omitempty"`
	Optimizer     Optimizer      `json:"optimizer"`
	LRScheduler   LRScheduler    `json:"lr_scheduler"`
	Training      Training       `json:"training"`
	Parallelism   Parallelism    `json:"parallelism"`
	Scheduling    Scheduling     `json:"scheduling"`
	Checkpoint    Checkpoint     `json:"checkpoint"`
	EarlyStopping *EarlyStopping `json:"early_stopping,omitempty"`
	InitFrom      *InitFrom      `json:"init_from,omitempty"`
	Export        Export         `json:"export"`
}

// Dataset says where the records are and how one is read.
type Dataset struct {
	Format        string            `json:"format"`
	Source        string            `json:"source"`              // URL; a bare path is relative to the specification's file
	Checksums     map[string]string `json:"checksums,omitempty"` // of files inside Source: "sha256:..."
	Train         Files             `json:"train"`               // file names inside Source
	Val           *Files            `json:"val,omitempty"`       // absent: cut from train by Split
	Test          *Files            `json:"test,omitempty"`      // absent: cut from train by Split, if at all
	Split         *Split            `json:"split,omitempty"`     // fractions of the train files' records
	ShardRecords  int               `json:"shard_records"`
	Shuffle       *bool             `json:"shuffle,omitempty"`   // never nil once defaults are filled in
	Header        *bool             `json:"header,omitempty"`    // csv: the first line names the columns; without it they are "0", "1", ...
	Delimiter     string            `json:"delimiter,omitempty"` // csv: between cells; absent: a comma
	Features      []Feature         `json:"features,omitempty"`
	Target        *Target           `json:"target,omitempty"`
	Text          *Text             `json:"text,omitempty"`
	Image         *Image            `json:"image,omitempty"`
	Preprocessing []Preprocessor    `json:"preprocessing,omitempty"`
	Augmentation  []Preprocessor    `json:"augmentation,omitempty"`
}

// Files names the files of one split. Images and Labels belong to idx and npy, File to every other format.
type Files struct {
	Images string `json:"images,omitempty"`
	Labels string `json:"labels,omitempty"`
	File   string `json:"file,omitempty"`
}

// Split gives the fractions into which the train files are cut: records at random, a text as it runs. What is left out
// of the sum 1 is not used.
type Split struct {
	Train float64 `json:"train"`
	Val   float64 `json:"val,omitempty"`
	Test  float64 `json:"test,omitempty"`
	// Stratified cuts every class by the same fractions.
	Stratified bool `json:"stratified,omitempty"`
}

// Feature is one column of tabular data that the model reads.
type Feature struct {
	Column        string `json:"column"`
	Type          string `json:"type"`                    // number | category
	Preprocessing string `json:"preprocessing,omitempty"` // standardize | min_max, fitted on the training split
	// Missing says what a missing cell is; absent: an error. Of a number mean | median | value, which is Fill; of a
	// category value, a value of its own.
	Missing  string  `json:"missing,omitempty"`
	Fill     float64 `json:"fill,omitempty"`
	Encoding string  `json:"encoding,omitempty"` // of a category: one_hot | id, for an embedding; absent: one_hot
	Unknown  string  `json:"unknown,omitempty"`  // of a category: bucket makes values that are new later one more value; absent: an error
}

// Target is what the model predicts: a column of a table, or the labels of arrays, whose Type alone is given. Without it a
// table's records are their own target, and labels are classes where they are single whole numbers, and numbers otherwise.
type Target struct {
	Column  string   `json:"column,omitempty"`
	Type    string   `json:"type"`              // number | category
	Classes []string `json:"classes,omitempty"` // category: the values in class order; absent: sorted as found
}

// Text says how text becomes token ids.
type Text struct {
	Tokenizer      string `json:"tokenizer"` // char | byte | bpe
	SequenceLength int    `json:"sequence_length"`
	VocabSize      int    `json:"vocab_size,omitempty"` // of bpe: 256 bytes and the merges learned
}

// Image says what an image file becomes.
type Image struct {
	Size          []int  `json:"size,omitempty"`          // [height, width]; absent: all files must have one size
	ColorMode     string `json:"color_mode,omitempty"`    // rgb | grayscale
	Interpolation string `json:"interpolation,omitempty"` // bilinear | nearest
}

// Preprocessor is one transformation of a record's input: rescale, standardize, or an augmentation.
type Preprocessor struct {
	Type   string    `json:"type"`
	Scale  float64   `json:"scale,omitempty"`
	Offset float64   `json:"offset,omitempty"`
	Mean   []float64 `json:"mean,omitempty"`
	Std    []float64 `json:"std,omitempty"`
	// Augmentations.
	Horizontal bool    `json:"horizontal,omitempty"`
	Vertical   bool    `json:"vertical,omitempty"`
	Pixels     int     `json:"pixels,omitempty"`
	Degrees    float64 `json:"degrees,omitempty"`
	Stddev     float64 `json:"stddev,omitempty"`
	Alpha      float64 `json:"alpha,omitempty"` // of mixup
}

// Model is a stack of layers.
type Model struct {
	Input  Input    `json:"input"`
	Layers []Layer  `json:"layers"`
	Freeze []string `json:"freeze,omitempty"`
}

// Input is the shape of one record, without the batch: [features], [height, width, channels] or [time, features].
type Input struct {
	Shape []int `json:"shape,omitempty"`
}

// Optimizer is an update rule. Fields that its Type does not use are zero.
type Optimizer struct {
	Type           string  `json:"type"`
	LearningRate   float64 `json:"learning_rate"`
	Momentum       float64 `json:"momentum,omitempty"`
	Nesterov       bool    `json:"nesterov,omitempty"`
	Beta1          float64 `json:"beta_1,omitempty"`
	Beta2          float64 `json:"beta_2,omitempty"`
	Epsilon        float64 `json:"epsilon,omitempty"`
	Rho            float64 `json:"rho,omitempty"`
	Centered       bool    `json:"centered,omitempty"`
	WeightDecay    float64 `json:"weight_decay,omitempty"`
	InitialAcc     float64 `json:"initial_accumulator_value,omitempty"`
	ClipGlobalNorm float64 `json:"clip_global_norm,omitempty"` // 0: no clipping
}

// LRScheduler gives the learning rate of each step. Fields that its Type does not use are zero.
type LRScheduler struct {
	Type           string  `json:"type"`
	WarmupSteps    int     `json:"warmup_steps,omitempty"`
	TotalSteps     int     `json:"total_steps,omitempty"` // 0: the job's number of steps
	MinLR          float64 `json:"min_lr,omitempty"`
	Gamma          float64 `json:"gamma,omitempty"`
	StepSize       int     `json:"step_size,omitempty"`
	Milestones     []int   `json:"milestones,omitempty"`
	Power          float64 `json:"power,omitempty"`
	MaxLR          float64 `json:"max_lr,omitempty"`
	PctStart       float64 `json:"pct_start,omitempty"`
	DivFactor      float64 `json:"div_factor,omitempty"`
	FinalDivFactor float64 `json:"final_div_factor,omitempty"`
	Anneal         string  `json:"anneal,omitempty"`
	Monitor        string  `json:"monitor,omitempty"`
	Mode           string  `json:"mode,omitempty"`
	Factor         float64 `json:"factor,omitempty"`
	Patience       int     `json:"patience,omitempty"`
	Threshold      float64 `json:"threshold,omitempty"`
	ThresholdMode  string  `json:"threshold_mode,omitempty"`
	Cooldown       int     `json:"cooldown,omitempty"`
}

// Loss is what the training minimises.
type Loss struct {
	Type           string  `json:"type"`
	FromLogits     *bool   `json:"from_logits,omitempty"` // never nil once defaults are filled in, where it applies
	LabelSmoothing float64 `json:"label_smoothing,omitempty"`
	IgnoreIndex    *int    `json:"ignore_index,omitempty"`
	Delta          float64 `json:"delta,omitempty"`
}

// Metric is a figure reported beside the loss. In YAML a bare name is enough.
type Metric struct {
	Type      string  `json:"type"`
	K         int     `json:"k,omitempty"`
	Threshold float64 `json:"threshold,omitempty"`
}

// Training says how long and how fine.
type Training struct {
	Epochs          int      `json:"epochs,omitempty"`    // exactly one of Epochs and MaxSteps is set
	MaxSteps        int      `json:"max_steps,omitempty"` //
	GlobalBatchSize int      `json:"global_batch_size"`
	MicroBatches    int      `json:"micro_batches"` // M
	EvalEvery       Interval `json:"eval_every"`
	LogEvery        Interval `json:"log_every"`
}

// Interval is a count of epochs or of steps; at most one is set, and none means never, which YAML has a word for.
type Interval struct {
	Epochs int `json:"epochs,omitempty"`
	Steps  int `json:"steps,omitempty"`
}

// Scheduling says which of several jobs gets workers first.
type Scheduling struct {
	Priority int `json:"priority"` // higher first; of equal ones who came first
}

// Parallelism bounds the cluster's part; it cannot change a result, except through Reduction and Wire.
type Parallelism struct {
	Workers   Workers `json:"workers"`
	Reduction string  `json:"reduction"` // exact | float32
	Wire      string  `json:"wire"`      // float32 | bf16; with reduction exact
	BucketMB  float64 `json:"bucket_mb"`
}

// Workers bounds the number of members.
type Workers struct {
	Min int `json:"min"`
	Max int `json:"max"`
}

// Checkpoint says when state is kept, and how many are.
type Checkpoint struct {
	Every    Interval `json:"every"`
	KeepLast int      `json:"keep_last"`
	KeepBest int      `json:"keep_best,omitempty"`
	Monitor  string   `json:"monitor,omitempty"`
	Resume   string   `json:"resume"` // auto
}

// EarlyStopping ends a job whose monitored metric no longer improves.
type EarlyStopping struct {
	Monitor            string  `json:"monitor"`
	Mode               string  `json:"mode"` // min | max
	Patience           int     `json:"patience"`
	MinDelta           float64 `json:"min_delta,omitempty"`
	RestoreBestWeights bool    `json:"restore_best_weights,omitempty"`
}

// InitFrom names where initial weights come from.
type InitFrom struct {
	Checkpoint string   `json:"checkpoint,omitempty"`
	File       string   `json:"file,omitempty"`
	Digest     string   `json:"digest,omitempty"` // "sha256:..." of the weights as a safetensors file; filled in when the job is submitted
	Freeze     []string `json:"freeze,omitempty"`
}

// Export says what is written when the job succeeds.
type Export struct {
	Formats []string `json:"formats,omitempty"`
	Which   string   `json:"which"` // last | best
}
