package access

import (
	"sync"

	"golang.org/x/time/rate"

	"lockstep/internal/certs"
)

// What one person may change in a second, and at once.
const (
	perSecond = 20
	atOnce    = 100
)

// maxMeters bounds the identities that are remembered. Identities come from certificates and tokens of this cluster, so
// that there are more is no matter of chance.
const maxMeters = 10000

// meters are a token bucket for each identity. The zero value is ready.
type meters struct {
	mu  sync.Mutex
	all map[certs.Identity]*rate.Limiter // under mu
}

// allow reports whether an identity may make another call now.
func (m *meters) allow(who certs.Identity) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.all[who]
	if l == nil {
		if m.all == nil || len(m.all) >= maxMeters {
			m.all = map[certs.Identity]*rate.Limiter{}
		}
		l = rate.NewLimiter(perSecond, atOnce)
		m.all[who] = l
	}
	return l.Allow()
}
