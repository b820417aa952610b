package trainer

import (
	"context"
	"net"
	"sync"
	"time"

	"lockstep/internal/certs"
)

// doubtAfter is how long a registration may take before it is looked at why.
const doubtAfter = 3 * time.Second

// doubting looks what is wrong with the coordinators' ports, once, if what it accompanies takes long. What it returns ends that.
func (w *Worker) doubting(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var g sync.WaitGroup
	g.Go(func() {
		if pause(ctx, doubtAfter) {
			w.doubt(ctx)
		}
	})
	return func() {
		cancel()
		g.Wait()
	}
}

// doubt logs which coordinators speak TLS where this worker does not, or the other way round.
func (w *Worker) doubt(ctx context.Context) {
	for _, address := range w.cfg.Coordinators {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			err = certs.Mismatch(ctx, conn, w.cfg.TLS)
			conn.Close()
		}
		if err != nil && ctx.Err() == nil {
			w.log.Warn("coordinator cannot be spoken to; it is tried again", "coordinator", address, "error", err)
		}
	}
}
