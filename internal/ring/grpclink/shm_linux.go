package grpclink

import (
	"cmp"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// seals make sure that neither side can pull the memory from under the other.
const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// shareRegion makes a region and sends it through a unix socket.
func shareRegion(conn *net.UnixConn) (*region, error) {
	fd, err := unix.MemfdCreate("lockstep-ring", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("create shared memory: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, shmLen); err != nil {
		return nil, fmt.Errorf("size shared memory: %w", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return nil, fmt.Errorf("seal shared memory: %w", err)
	}
	mem, err := unix.Mmap(fd, 0, shmLen, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map shared memory: %w", err)
	}
	if _, _, err := conn.WriteMsgUnix([]byte{withRegion}, unix.UnixRights(fd), nil); err != nil {
		unix.Munmap(mem)
		return nil, fmt.Errorf("share memory: %w", err)
	}
	return newRegion(mem, unix.Munmap, conn, true), nil
}

// receiveDescriptor takes what offerRegion sends: a descriptor, or word that there is none.
func receiveDescriptor(conn *net.UnixConn) (fd int, offered bool, err error) {
	var b [1]byte
	oob := make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := conn.ReadMsgUnix(b[:], oob)
	switch {
	case err != nil:
		return 0, false, fmt.Errorf("receive shared memory: %w", err)
	case n == 1 && b[0] == withoutRegion && oobn == 0:
		return 0, false, nil
	}
	if fd, err = onlyFD(oob[:oobn]); err != nil || n != 1 || b[0] != withRegion {
		return 0, false, fmt.Errorf("receive shared memory: byte %d with %w", b[0], cmp.Or(err, errors.New("a descriptor")))
	}
	return fd, true, nil
}

func closeDescriptor(fd int) { unix.Close(fd) }

// mapRegion maps the memory of another process, which must be sealed.
func mapRegion(conn net.Conn, fd int) (*region, error) {
	if got, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil || got&seals != seals {
		return nil, fmt.Errorf("shared memory has seals %#x: %w", got, cmp.Or(err, errUnsealed))
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Size != shmLen {
		return nil, fmt.Errorf("shared memory has %d bytes: %w", st.Size, cmp.Or(err, errUnsealed))
	}
	mem, err := unix.Mmap(fd, 0, shmLen, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map shared memory: %w", err)
	}
	return newRegion(mem, unix.Munmap, conn, false), nil
}

var errUnsealed = errors.New("its sender could change its size")

// onlyFD returns the one descriptor of a control message.
func onlyFD(oob []byte) (int, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, err
	}
	var fds []int
	for _, m := range messages {
		if got, err := unix.ParseUnixRights(&m); err == nil {
			fds = append(fds, got...)
		}
	}
	if len(fds) != 1 {
		for _, fd := range fds {
			unix.Close(fd)
		}
		return 0, fmt.Errorf("%d descriptors", len(fds))
	}
	return fds[0], nil
}

// sameUser reports whether the other end of a socket is a process of this one's user.
func sameUser(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	same := false
	err = raw.Control(func(fd uintptr) {
		peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		same = err == nil && int(peer.Uid) == unix.Getuid()
	})
	return err == nil && same
}
