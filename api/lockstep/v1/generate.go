// Package lockstepv1 is the generated code of the gRPC interface and of the records that the coordinators replicate.
package lockstepv1

//go:generate protoc -I ../.. --go_out=../.. --go_opt=paths=source_relative --go-grpc_out=../.. --go-grpc_opt=paths=source_relative lockstep/v1/state.proto lockstep/v1/command.proto lockstep/v1/service.proto
