package trainer

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// FailAt is where in a step a worker fails, for tests.
type FailAt struct {
	Step  uint64 // 0: none
	Place int    // a micro-batch, about to be computed, or one of the places below
	Kill  bool   // the process ends; otherwise it panics
}

// The places of a step beside its micro-batches: any micro-batch is about to be computed; the first bucket is summed,
// the others are not; everything is summed, and nothing updated; an evaluation after the step begins.
const (
	inCompute = -1 - iota
	inSum
	inUpdate
	inEvaluation
)

var placeNames = []string{"compute", "sum", "update", "evaluation"} // of -1 and so on

// Set reads "STEP:PLACE:HOW".
func (f *FailAt) Set(text string) error {
	usage := fmt.Errorf("%q: want STEP:PLACE:kill or STEP:PLACE:panic, where PLACE is the number of a micro-batch, compute, sum, update or evaluation", text)
	parts := strings.Split(text, ":")
	if len(parts) != 3 || parts[2] != "kill" && parts[2] != "panic" {
		return usage
	}
	step, err := strconv.ParseUint(parts[0], 10, 64)
	if err != nil {
		return errors.Join(usage, err)
	}
	place := -1 - slices.Index(placeNames, parts[1])
	if place == 0 {
		if place, err = strconv.Atoi(parts[1]); err != nil || place < 0 {
			return errors.Join(usage, err)
		}
	}
	*f = FailAt{Step: step, Place: place, Kill: parts[2] == "kill"}
	return nil
}

// String implements pflag.Value.
func (f *FailAt) String() string { return "" }

// Type implements pflag.Value.
func (f *FailAt) Type() string { return "string" }

// failAt fails where the configuration says so.
func (s *session) failAt(step uint64, place int) {
	if s.w == nil { // a replay
		return
	}
	f := s.w.cfg.FailAt
	switch {
	case f.Step == 0 || f.Step != step || f.Place != place:
	case f.Kill:
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // nothing is left to look at the error
		select {}
	default:
		panic("as the configuration wants it")
	}
}
