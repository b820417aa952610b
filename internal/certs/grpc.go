package certs

import (
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// ClientCredentials are those of gRPC connections to servers of one of the roles. Without a source they are plain.
func ClientCredentials(s Source, servers ...Role) credentials.TransportCredentials {
	if s == nil {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(Client(s, servers...))
}

// ServerCredentials are those of a gRPC server whose callers are known by what they show, if anything. Without a source
// they are plain.
func ServerCredentials(s Source) credentials.TransportCredentials {
	if s == nil {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(Server(s))
}
