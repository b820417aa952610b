package coord

import (
	"crypto/tls"
	"path/filepath"

	"lockstep/internal/certs"
	"lockstep/internal/event"
)

// natsConfig is how this coordinator reaches NATS: a server beside it, or one in another coordinator.
func (n *Node) natsConfig() event.Config {
	c := event.Config{URL: n.cfg.NATSURL, Log: n.log}
	if n.cfg.TLS != nil {
		c.TLS = certs.Client(n.cfg.TLS, certs.NATS, certs.Coordinator)
	}
	return c
}

// EmbeddedNATS is the configuration of a NATS server in this coordinator's process. People may read what is on it, with
// a certificate; only coordinators write.
func (c *Config) EmbeddedNATS(listen string) event.ServerConfig {
	s := event.ServerConfig{Dir: filepath.Join(c.DataDir, "nats"), Addr: listen, Log: c.Log}
	if c.TLS != nil {
		s.TLS = certs.Server(c.TLS, certs.Coordinator, certs.Reader, certs.User, certs.Admin)
		s.Writes = func(state *tls.ConnectionState) bool {
			who, err := certs.IdentityOf(state.PeerCertificates[0])
			return err == nil && who.Role == certs.Coordinator
		}
	}
	return s
}
