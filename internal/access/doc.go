// Package access decides who may call what. The table of methods and the table of HTTP paths are the only places where
// that stands; what stands in neither is for nobody, or over HTTP for administrators.
//
// A caller is known by the certificate that it shows in the TLS handshake, or else by a token. Where neither is there
// only health may be asked for. A cluster that was started without certificates has no guard at all.
package access
