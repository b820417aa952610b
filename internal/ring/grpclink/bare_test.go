package grpclink_test

import (
	"io"
	"net"
	"unsafe"
)

// bare is the yardstick: a ring of two over one TCP connection, float32, in segments
// that are sent while others are received, without headers, checks or deadlines.
type bare struct {
	rank int
	conn net.Conn
	x    []float32
	buf  []byte
	work chan []float32
	done chan error
}

const bareSegment = 32 << 10 // values

func newBare(rank int, g []float32, c net.Conn) *bare {
	m := &bare{rank: rank, conn: c, x: g, buf: make([]byte, 4*bareSegment),
		work: make(chan []float32, 1024), done: make(chan error, 1024)}
	go func() {
		for x := range m.work {
			_, err := c.Write(asBytes(x))
			m.done <- err
		}
	}()
	return m
}

func asBytes(x []float32) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x))
}

func (m *bare) reduce() error {
	half := len(m.x) / 2
	mine, other := m.x[:half], m.x[half:]
	if m.rank == 1 {
		mine, other = other, mine
	}
	sends := 0
	each(other, func(s []float32) error { m.work <- s; sends++; return nil })
	err := each(mine, func(s []float32) error {
		b := m.buf[:4*len(s)]
		if _, err := io.ReadFull(m.conn, b); err != nil {
			return err
		}
		v := unsafe.Slice((*float32)(unsafe.Pointer(&b[0])), len(s))
		for i := range s {
			s[i] += v[i]
		}
		m.work <- s
		sends++
		return nil
	})
	if err != nil {
		return err
	}
	err = each(other, func(s []float32) error {
		_, err := io.ReadFull(m.conn, asBytes(s))
		return err
	})
	for range sends {
		if e := <-m.done; e != nil {
			return e
		}
	}
	return err
}

func each(x []float32, do func([]float32) error) error {
	for len(x) > 0 {
		n := min(bareSegment, len(x))
		if err := do(x[:n]); err != nil {
			return err
		}
		x = x[n:]
	}
	return nil
}
