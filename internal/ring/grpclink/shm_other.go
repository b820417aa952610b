//go:build !linux

package grpclink

import (
	"errors"
	"io"
	"net"
)

func shareRegion(*net.UnixConn) (*region, error) { return nil, errors.ErrUnsupported }

func receiveDescriptor(conn *net.UnixConn) (fd int, offered bool, err error) {
	var b [1]byte
	if _, err := io.ReadFull(conn, b[:]); err != nil || b[0] != withoutRegion {
		return 0, false, errors.ErrUnsupported
	}
	return 0, false, nil
}

func mapRegion(net.Conn, int) (*region, error) { return nil, errors.ErrUnsupported }

func closeDescriptor(int) {}

func sameUser(*net.UnixConn) bool { return false }
