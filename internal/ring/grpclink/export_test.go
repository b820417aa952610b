package grpclink

import "time"

// SetOpenWait changes how long streams wait for their session.
func (s *Server) SetOpenWait(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.openWait = d
}

// Ticket returns the ticket that was given out on the stream of a peer, if it was not
// used yet.
func (l *Link) Ticket(from int) (t [16]byte, ok bool) {
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	for t, p := range l.server.tickets {
		if p == &l.in[from] {
			return t, true
		}
	}
	return t, false
}

// InUse returns the number of frames that are being sent to a peer.
func (l *Link) InUse(to int) int32 { return l.out[to].inUse.Load() }

// LiveRegions returns the number of shared regions that are mapped.
func LiveRegions() int32 { return liveRegions.Load() }
