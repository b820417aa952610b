package trainer

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"lockstep/internal/ckpt"
	"lockstep/internal/export"
	"lockstep/internal/fixed"
	"lockstep/internal/ledger"
	"lockstep/internal/optim"
)

// state is all that a job is between two steps: equal on every member, a function of the job and of the position.
type state struct {
	position uint64 // 2*steps made, plus 1 once the evaluation that is due after them is done
	params   []float32
	slots    [][]float32 // of the optimizer, in the order of Optimizer.Slots
	scales   fixed.Scales
	plateau  optim.Plateau
	best     best
	sums     []float64          // training sums of the epoch so far, as Network.Metrics takes them
	metrics  map[string]float64 // newest values, by name
	loss     float64            // of the last step
	chain    []ledger.Record    // the step ledger so far; only appended to
}

// best is the best evaluation so far, for early stopping and for export.
type best struct {
	seen    bool
	value   float64
	bad     int64 // evaluations since
	stopped bool  // early stopping has ended the job
	params  []float32
}

func (s *state) step() int { return int(s.position / 2) }

func (t *task) newState() *state {
	n := t.net.Size()
	s := &state{params: make([]float32, n), scales: fixed.NewScales(len(t.params)), plateau: t.sched.Start(),
		sums: make([]float64, t.net.NumStats()), metrics: map[string]float64{}}
	for range t.opt.Slots() {
		s.slots = append(s.slots, make([]float32, n))
	}
	return s
}

// finished reports whether the job's last step is made.
func (t *task) finished(s *state) bool { return s.step() >= t.total || s.best.stopped }

// exported are the parameters that the job's model consists of.
func (t *task) exported(s *state) []float32 {
	if t.keepsBest() && s.best.params != nil {
		return s.best.params
	}
	return s.params
}

// keepsBest reports whether the best parameters are the job's result rather than the last.
func (t *task) keepsBest() bool {
	e := t.spec.EarlyStopping
	return t.spec.Export.Which == "best" || e != nil && e.RestoreBestWeights
}

// modelDigest is the digest of the model that the job results in.
func (t *task) modelDigest(s *state) (string, error) {
	var tensors []export.Tensor
	for _, x := range t.tensors("", t.exported(s)) {
		tensors = append(tensors, export.Tensor(x))
	}
	return export.Digest(tensors)
}

// Prefixes of tensor names in a checkpoint.
const (
	paramPrefix  = "param/"
	exportPrefix = "export/" // the parameters to export, where they are not the last
	slotPrefix   = "slot/"
)

// tensors names the parts of a flat vector.
func (t *task) tensors(prefix string, flat []float32) []ckpt.Tensor {
	out := make([]ckpt.Tensor, len(t.params))
	for i, p := range t.params {
		out[i] = ckpt.Tensor{Name: prefix + p.Name, Shape: p.Shape, Data: flat[p.Off : p.Off+p.Len]}
	}
	return out
}

// encode copies a state into its checkpoint form.
func (t *task) encode(s *state) *ckpt.State { return t.encodeInto(new(copies), s) }

// encodeInto is encode into memory whose last copy nobody needs any more.
func (t *task) encodeInto(c *copies, s *state) *ckpt.State {
	c.used = 0
	out := &ckpt.State{Step: uint64(s.step()), Epoch: uint64(s.step() / t.perEpoch), SpecHash: t.specHash,
		LedgerHead: ledger.Head(t.genesis, s.chain), Scales: slices.Clone(s.scales), Aux: ledger.Encode(s.chain), Dataset: t.about}
	out.Tensors = t.tensors(paramPrefix, c.of(s.params))
	if t.keepsBest() && s.best.params != nil {
		out.Tensors = append(out.Tensors, t.tensors(exportPrefix, c.of(s.best.params))...)
	}
	for i, name := range t.opt.Slots() {
		out.Tensors = append(out.Tensors, t.tensors(slotPrefix+name+"/", c.of(s.slots[i]))...)
	}
	out.Ints = []ckpt.Int{
		{Name: "position", Value: int64(s.position)},
		{Name: "plateau/bad", Value: int64(s.plateau.Bad)}, {Name: "plateau/cooldown", Value: int64(s.plateau.Cooldown)},
		{Name: "plateau/seen", Value: flag(s.plateau.Seen)},
		{Name: "best/seen", Value: flag(s.best.seen)}, {Name: "best/bad", Value: s.best.bad}, {Name: "best/stopped", Value: flag(s.best.stopped)},
	}
	out.Floats = []ckpt.Float{
		{Name: "plateau/lr", Value: s.plateau.LR}, {Name: "plateau/best", Value: s.plateau.Best}, {Name: "best/value", Value: s.best.value},
		{Name: "loss", Value: s.loss},
	}
	for i, v := range s.sums {
		out.Floats = append(out.Floats, ckpt.Float{Name: fmt.Sprintf("sum/%d", i), Value: v})
	}
	for _, name := range slices.Sorted(maps.Keys(s.metrics)) {
		out.Floats = append(out.Floats, ckpt.Float{Name: metricPrefix + name, Value: s.metrics[name]})
	}
	return out
}

const metricPrefix = "metric/"

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// decode makes a state of its checkpoint form.
func (t *task) decode(c *ckpt.State) (*state, error) {
	if c.SpecHash != t.specHash {
		return nil, fmt.Errorf("state is of another specification: %x, want %x", c.SpecHash[:4], t.specHash[:4])
	}
	r := &stateReader{tensors: map[string]ckpt.Tensor{}, ints: map[string]int64{}, floats: map[string]float64{}}
	for _, x := range c.Tensors {
		r.tensors[x.Name] = x
	}
	for _, x := range c.Ints {
		r.ints[x.Name] = x.Value
	}
	for _, x := range c.Floats {
		r.floats[x.Name] = x.Value
	}
	s := t.newState()
	r.read(t, s)
	if len(c.Scales) != len(s.scales) {
		r.fail("%d scales, want %d", len(c.Scales), len(s.scales))
	}
	copy(s.scales, c.Scales)
	r.chain(t, s, c)
	return s, r.err
}

// stateReader takes a checkpoint's named parts; its first failure stays.
type stateReader struct {
	tensors map[string]ckpt.Tensor
	ints    map[string]int64
	floats  map[string]float64
	err     error
}

func (r *stateReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("state does not fit the job: "+format, args...)
	}
}

func (r *stateReader) read(t *task, s *state) {
	r.flat(t, paramPrefix, s.params)
	for i, name := range t.opt.Slots() {
		r.flat(t, slotPrefix+name+"/", s.slots[i])
	}
	if len(t.params) > 0 {
		if _, ok := r.tensors[exportPrefix+t.params[0].Name]; ok {
			s.best.params = make([]float32, len(s.params))
			r.flat(t, exportPrefix, s.best.params)
		}
	}
	s.position = uint64(r.int("position"))
	s.plateau = optim.Plateau{LR: r.float("plateau/lr"), Best: r.float("plateau/best"),
		Bad: int(r.int("plateau/bad")), Cooldown: int(r.int("plateau/cooldown")), Seen: r.int("plateau/seen") != 0}
	s.best.seen, s.best.bad, s.best.stopped = r.int("best/seen") != 0, r.int("best/bad"), r.int("best/stopped") != 0
	s.best.value = r.float("best/value")
	s.loss = r.float("loss")
	for i := range s.sums {
		s.sums[i] = r.float(fmt.Sprintf("sum/%d", i))
	}
	for name, v := range r.floats {
		if rest, ok := strings.CutPrefix(name, metricPrefix); ok {
			s.metrics[rest] = v
		}
	}
}

// chain takes the ledger, which has to be one of this job and end where the checkpoint says.
func (r *stateReader) chain(t *task, s *state, c *ckpt.State) {
	chain, err := ledger.Decode(c.Aux)
	if err == nil {
		err = ledger.Check(t.genesis, chain)
	}
	if err == nil && ledger.Head(t.genesis, chain) != c.LedgerHead {
		err = fmt.Errorf("its head is not %x", c.LedgerHead[:4])
	}
	if err != nil {
		r.fail("ledger: %w", err)
		return
	}
	s.chain = chain
}

func (r *stateReader) flat(t *task, prefix string, dst []float32) {
	for _, p := range t.params {
		x, ok := r.tensors[prefix+p.Name]
		if !ok || len(x.Data) != p.Len {
			r.fail("tensor %q has %d elements, want %d", prefix+p.Name, len(x.Data), p.Len)
			return
		}
		copy(dst[p.Off:p.Off+p.Len], x.Data)
	}
}

func (r *stateReader) int(name string) int64 {
	v, ok := r.ints[name]
	if !ok {
		r.fail("%q is missing", name)
	}
	return v
}

func (r *stateReader) float(name string) float64 {
	v, ok := r.floats[name]
	if !ok {
		r.fail("%q is missing", name)
		return math.NaN()
	}
	return v
}
