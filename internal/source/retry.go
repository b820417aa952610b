package source

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// patience is how long is waited for what lies elsewhere.
type patience struct {
	tries int           // in all
	delay time.Duration // before the second one; twice as long before each further one
	block time.Duration // for one block, or one answer
}

var defaultPatience = patience{tries: 6, delay: 200 * time.Millisecond, block: time.Minute}

// finalError is one that no further try can mend.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

var errSlow = errors.New("the server is too slow")

// try calls f until it succeeds, its error is final, or patience is at its end.
func (p patience) try(ctx context.Context, f func(ctx context.Context) error) error {
	delay := p.delay
	for n := 1; ; n++ {
		err := p.once(ctx, f)
		var final *finalError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &final):
			return final.err
		case n == p.tries:
			return fmt.Errorf("%w (tried %d times)", err, n)
		}
		select {
		case <-time.After(delay/2 + rand.N(delay)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		delay *= 2
	}
}

func (p patience) once(ctx context.Context, f func(ctx context.Context) error) error {
	bounded, cancel := context.WithTimeoutCause(ctx, p.block, errSlow)
	defer cancel()
	err := f(bounded)
	if err != nil && context.Cause(bounded) == errSlow {
		return fmt.Errorf("%w: nothing came in %v", errSlow, p.block)
	}
	return err
}
