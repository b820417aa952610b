package optim

import (
	"fmt"
	"math"

	"lockstep/internal/kernel/f64"
	"lockstep/internal/spec"
)

// Schedule gives the learning rate of each step. It is immutable.
//
// Warm-up goes with every type: while t < warmup_steps the rate is the schedule's first rate times
// (t+1)/warmup_steps. After it the schedule runs on u = t - warmup_steps, and total_steps includes the warm-up. Only
// the milestones of multistep are counted from the job's first step.
type Schedule struct {
	s      spec.LRScheduler
	base   float64
	span   int // steps from the end of the warm-up to the end of the schedule
	rateAt func(s *Schedule, t int) float64
}

// Plateau is the state of a reduce_on_plateau schedule: plain numbers, to be kept with the training state. For the
// other types it stays as Start gave it.
type Plateau struct {
	LR       float64 // the rate in force
	Best     float64 // best metric so far; meaningless until Seen
	Seen     bool    // a metric has been reported
	Bad      int     // reports since Best
	Cooldown int     // reports left in which none counts as bad
}

// NewSchedule returns the schedule s around the learning rate base. totalSteps is the job's number of steps, used
// where s does not give its own.
func NewSchedule(s spec.LRScheduler, base float64, totalSteps int) (*Schedule, error) {
	if s.TotalSteps == 0 {
		s.TotalSteps = totalSteps
	}
	c := &Schedule{s: s, base: base, span: s.TotalSteps - s.WarmupSteps}
	switch s.Type {
	case "", "constant", "reduce_on_plateau":
		c.rateAt = func(s *Schedule, _ int) float64 { return s.base }
	case "step":
		c.rateAt = stepRate
	case "multistep":
		c.rateAt = multistepRate
	case "exponential":
		c.rateAt = func(s *Schedule, t int) float64 { return s.base * f64.PowInt(s.s.Gamma, t) }
	case "polynomial", "linear":
		c.rateAt = polynomialRate
	case "cosine":
		c.rateAt = cosineRate
	case "one_cycle":
		c.rateAt = oneCycleRate
	default:
		return nil, fmt.Errorf("lr_scheduler: unknown type %q", s.Type)
	}
	return c, c.check()
}

// check refuses what the formulas divide by or cannot mean.
func (c *Schedule) check() error {
	s := &c.s
	switch {
	case s.Type == "step" && s.StepSize < 1:
		return fmt.Errorf("lr_scheduler: step_size is %d, want at least 1", s.StepSize)
	case (s.Type == "cosine" || s.Type == "polynomial" || s.Type == "linear" || s.Type == "one_cycle") && s.TotalSteps < 1:
		return fmt.Errorf("lr_scheduler: %s needs total_steps", s.Type)
	case s.Type == "reduce_on_plateau" && (s.Factor <= 0 || s.Factor >= 1):
		return fmt.Errorf("lr_scheduler: factor is %v, want between 0 and 1", s.Factor)
	case s.Type == "one_cycle" && (s.PctStart < 0 || s.PctStart > 1):
		return fmt.Errorf("lr_scheduler: pct_start is %v, want 0 to 1", s.PctStart)
	case s.WarmupSteps < 0:
		return fmt.Errorf("lr_scheduler: warmup_steps is %d", s.WarmupSteps)
	}
	if s.Type == "polynomial" && s.Power == 0 || s.Type == "linear" {
		s.Power = 1
	}
	if s.Type == "one_cycle" {
		s.MaxLR = cmpOr(s.MaxLR, c.base)
		s.DivFactor = cmpOr(s.DivFactor, 25)
		s.FinalDivFactor = cmpOr(s.FinalDivFactor, 1e4)
	}
	return nil
}

func cmpOr(v, other float64) float64 {
	if v != 0 {
		return v
	}
	return other
}

// Rate returns the learning rate in force during step t (the first is 0), given the plateau state at its start.
func (c *Schedule) Rate(t int, p Plateau) float64 {
	w := c.s.WarmupSteps
	warm := min(float64(t+1)/float64(max(w, 1)), 1)
	switch {
	case c.s.Type == "reduce_on_plateau":
		return p.LR * warm
	case t < w:
		return c.rateAt(c, 0) * warm
	case c.s.Type == "multistep":
		return c.rateAt(c, t)
	}
	return c.rateAt(c, t-w)
}

// Start returns the plateau state before the first step.
func (c *Schedule) Start() Plateau { return Plateau{LR: c.base} }

// Monitor returns the metric that Observe wants and true, or false if the schedule needs none.
func (c *Schedule) Monitor() (string, bool) {
	return c.s.Monitor, c.s.Type == "reduce_on_plateau"
}

// Observe returns the plateau state after the metric was reported: the reduce_on_plateau rule, with min or max and
// rel or abs. A NaN is never better.
func (c *Schedule) Observe(p Plateau, metric float64) Plateau {
	if c.s.Type != "reduce_on_plateau" {
		return p
	}
	if !p.Seen && metric == metric || c.better(metric, p.Best) && p.Seen {
		p.Best, p.Bad, p.Seen = metric, 0, true
	} else {
		p.Bad++
	}
	if p.Cooldown > 0 {
		p.Cooldown--
		p.Bad = 0
	}
	if p.Bad > c.s.Patience {
		p.LR = max(p.LR*c.s.Factor, c.s.MinLR)
		p.Cooldown, p.Bad = c.s.Cooldown, 0
	}
	return p
}

func (c *Schedule) better(metric, best float64) bool {
	d := c.s.Threshold
	if c.s.Mode == "max" {
		d = -d
	}
	bound := best - d
	if c.s.ThresholdMode != "abs" { // rel
		bound = best * (1 - d)
	}
	if c.s.Mode == "max" {
		return metric > bound
	}
	return metric < bound
}

// stepRate: lr * gamma^floor(t/step_size).
func stepRate(c *Schedule, t int) float64 { return c.base * f64.PowInt(c.s.Gamma, t/c.s.StepSize) }

// multistepRate: lr * gamma^(milestones <= t).
func multistepRate(c *Schedule, t int) float64 {
	n := 0
	for _, m := range c.s.Milestones {
		if m <= t {
			n++
		}
	}
	return c.base * f64.PowInt(c.s.Gamma, n)
}

// polynomialRate: min_lr + (lr-min_lr) * (1 - t/span)^power.
func polynomialRate(c *Schedule, t int) float64 {
	left := 0.0
	if t < c.span {
		left = 1 - float64(t)/float64(c.span)
	}
	return c.s.MinLR + float64((c.base-c.s.MinLR)*f64.Pow(left, c.s.Power))
}

// cosineRate: min_lr + (lr-min_lr) * (1 + cos(pi*t/span)) / 2; min_lr from the span's end on.
func cosineRate(c *Schedule, t int) float64 {
	if t >= c.span {
		return c.s.MinLR
	}
	return between(c.base, c.s.MinLR, float64(t)/float64(c.span), true)
}

// oneCycleRate climbs from max_lr/div_factor to max_lr and falls to max_lr/div_factor/final_div_factor (Smith and
// Topin, "Super-convergence", 2018).
func oneCycleRate(c *Schedule, t int) float64 {
	s := &c.s
	low := s.MaxLR / s.DivFactor
	top := float64(s.PctStart*float64(c.span)) - 1
	end, at := float64(c.span-1), float64(t)
	cos := s.Anneal != "linear"
	switch {
	case at <= top && top > 0:
		return between(low, s.MaxLR, at/top, cos)
	case at < end:
		top = max(top, 0)
		return between(s.MaxLR, low/s.FinalDivFactor, (at-top)/(end-top), cos)
	}
	return low / s.FinalDivFactor
}

// between goes from a at u = 0 to b at u = 1, along half a cosine or a line.
func between(a, b, u float64, cos bool) float64 {
	if cos {
		u = (1 - f64.Cos(math.Pi*u)) / 2
	}
	return a + float64((b-a)*u)
}
