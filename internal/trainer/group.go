package trainer

import (
	"sync"

	"golang.org/x/sync/errgroup"
)

// group is goroutines that add to something under a common lock.
type group struct {
	errgroup.Group
	mu sync.Mutex
}
