package event

import (
	"crypto/tls"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// tlsTimeout bounds a handshake.
const tlsTimeout = 5 * time.Second

// authenticator lets in whoever has passed the handshake, and gives those who only read what a subscriber of this
// package's stream needs.
type authenticator func(*tls.ConnectionState) bool

// Check implements server.Authentication.
func (writes authenticator) Check(c server.ClientAuthentication) bool {
	state := c.GetTLSConnectionState()
	if state == nil || len(state.PeerCertificates) == 0 {
		return false
	}
	u := &server.User{Username: state.PeerCertificates[0].Subject.CommonName}
	if !writes(state) {
		u.Permissions = &server.Permissions{
			Publish: &server.SubjectPermission{Allow: []string{
				"$JS.API.INFO", "$JS.API.STREAM.INFO." + StreamName, "$JS.API.CONSUMER.CREATE." + StreamName + ".>",
				"$JS.API.CONSUMER.INFO." + StreamName + ".>", "$JS.API.CONSUMER.MSG.NEXT." + StreamName + ".>",
				"$JS.API.CONSUMER.DELETE." + StreamName + ".>", "$JS.ACK." + StreamName + ".>", "$JS.FC." + StreamName + ".>",
			}},
			Subscribe: &server.SubjectPermission{Allow: []string{All, "_INBOX.>"}},
		}
	}
	c.RegisterUser(u)
	return true
}
