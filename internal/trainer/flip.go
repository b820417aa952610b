package trainer

import "math"

// flip changes a bit of the parameters in this worker's memory after the step that the configuration says, once: what
// a fault of the memory does, for tests.
func (w *Worker) flip(st *state) {
	if w.cfg.FlipStep == 0 || uint64(st.step()) != w.cfg.FlipStep {
		return
	}
	w.cfg.FlipStep = 0
	p := &st.params[len(st.params)/3]
	*p = math.Float32frombits(math.Float32bits(*p) ^ 1<<20)
	w.log.Warn("a bit was flipped, as the configuration wants it", "step", st.step())
}
