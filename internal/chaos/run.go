package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// under is a fault that has not ended yet.
type under struct {
	until time.Time
	end   func() error
}

// Run lets the faults of a plan happen, and end, until the plan or ctx ends; then all that is under way ends. told hears of
// each fault as it happens.
func (c *Cluster) Run(ctx context.Context, plan []Fault, chunk func(context.Context) []byte, told func(Fault)) error {
	begin := time.Now()
	var open []under
	var errs []error
	for _, f := range plan {
		open = endUntil(ctx, open, begin.Add(f.At), &errs)
		if !pause(ctx, time.Until(begin.Add(f.At))) {
			break
		}
		end, err := c.Inject(ctx, f, chunk)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", f.Kind, f.Target, err))
			break
		}
		told(f)
		open = append(open, under{begin.Add(f.end()), end})
	}
	for len(open) > 0 {
		open = endUntil(ctx, open, begin.Add(365*24*time.Hour), &errs)
	}
	return errors.Join(errs...)
}

// endUntil ends the faults that end before a time, each in its time, or at once if ctx has ended.
func endUntil(ctx context.Context, open []under, until time.Time, errs *[]error) []under {
	for {
		first := -1
		for i, u := range open {
			if u.until.Before(until) && (first < 0 || u.until.Before(open[first].until)) {
				first = i
			}
		}
		if first < 0 {
			return open
		}
		pause(ctx, time.Until(open[first].until))
		*errs = append(*errs, open[first].end())
		open = append(open[:first:first], open[first+1:]...)
	}
}
