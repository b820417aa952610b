// Package certs is who the processes and people of a cluster are to one another: a certificate authority of the cluster's
// own, certificates that say a role and a name, and the TLS 1.3 configurations that follow from them.
//
// An identity is a URI in the certificate, lockstep://ROLE/NAME. Both sides of a connection verify the other's chain up
// to the cluster's authority and look at its role. Host names are not looked at between processes: containers change
// their addresses, and whoever has a coordinator's key is a coordinator wherever it runs. They are for browsers.
//
// Certificates are read from files, again when a file has changed: the next handshake takes the new ones. Sessions are
// not resumed, so that nothing outlives a change but connections that are there.
package certs
