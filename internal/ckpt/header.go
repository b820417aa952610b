package ckpt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// appendHead appends everything that stands before the tensor data to dst, which is empty.
func appendHead(dst []byte, s *State) ([]byte, error) {
	dst = append(dst, magic...)
	if len(s.Dataset) > 0 {
		dst[len(magic)-1] = version2
	}
	dst = append(dst, make([]byte, fixedLen-len(magic))...)
	dst = appendHeader(dst, s)
	header := dst[fixedLen:]
	if len(header) > maxHeader {
		return nil, fmt.Errorf("header of %d bytes is over the limit of %d", len(header), maxHeader)
	}
	binary.LittleEndian.PutUint32(dst[8:], uint32(len(header)))
	binary.LittleEndian.PutUint32(dst[12:], crc32.Checksum(header, castagnoli))
	return append(dst, make([]byte, padding(len(dst)))...), nil
}

// padding returns how many zeros follow n bytes.
func padding(n int) int { return (align - n%align) % align }

func appendHeader(dst []byte, s *State) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, s.Step)
	dst = le.AppendUint64(dst, s.Epoch)
	dst = append(dst, s.SpecHash[:]...)
	dst = append(dst, s.LedgerHead[:]...)
	dst = le.AppendUint32(dst, uint32(len(s.Scales)))
	for _, v := range s.Scales {
		dst = le.AppendUint32(dst, uint32(v))
	}
	dst = le.AppendUint32(dst, uint32(len(s.Ints)))
	for _, v := range s.Ints {
		dst = le.AppendUint64(appendName(dst, v.Name), uint64(v.Value))
	}
	dst = le.AppendUint32(dst, uint32(len(s.Floats)))
	for _, v := range s.Floats {
		dst = le.AppendUint64(appendName(dst, v.Name), math.Float64bits(v.Value))
	}
	dst = le.AppendUint32(dst, uint32(len(s.Aux)))
	dst = append(dst, s.Aux...)
	dst = le.AppendUint32(dst, uint32(len(s.Tensors)))
	for i := range s.Tensors {
		dst = appendName(dst, s.Tensors[i].Name)
		dst = append(dst, byte(len(s.Tensors[i].Shape)))
		for _, d := range s.Tensors[i].Shape {
			dst = le.AppendUint64(dst, uint64(d))
		}
	}
	if len(s.Dataset) > 0 {
		dst = append(le.AppendUint32(dst, uint32(len(s.Dataset))), s.Dataset...)
	}
	return dst
}

func appendName(dst []byte, name string) []byte {
	return append(binary.LittleEndian.AppendUint16(dst, uint16(len(name))), name...)
}

// parser takes fields from the front of a header. After the first field that is not there, bad stays true and every
// field is zero.
type parser struct {
	rest []byte
	bad  bool
}

func (p *parser) take(n int) []byte {
	if p.bad || n > len(p.rest) {
		p.bad = true
		return nil
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

func (p *parser) uint(n int) uint64 {
	var b [8]byte
	copy(b[:], p.take(n))
	return binary.LittleEndian.Uint64(b[:])
}

// count reads the length of a list whose items take at least size bytes each, which bounds it by what is there.
func (p *parser) count(size int) int {
	n := p.uint(4)
	if n*uint64(size) > uint64(len(p.rest)) {
		p.bad = true
		return 0
	}
	return int(n)
}

func (p *parser) name() string { return string(p.take(int(p.uint(2)))) }

// version2 has the dataset's description at the end of the header.
const version2 = 2

// parseHeader reads a header into a state whose tensors have no data yet. ok is false if the header is malformed.
func parseHeader(header []byte, version byte) (s *State, ok bool) {
	p := &parser{rest: header}
	s = &State{Step: p.uint(8), Epoch: p.uint(8)}
	copy(s.SpecHash[:], p.take(32))
	copy(s.LedgerHead[:], p.take(32))
	s.Scales = list(p, 4, func() int32 { return int32(p.uint(4)) })
	s.Ints = list(p, 10, func() Int { return Int{p.name(), int64(p.uint(8))} })
	s.Floats = list(p, 10, func() Float { return Float{p.name(), math.Float64frombits(p.uint(8))} })
	s.Aux = append([]byte(nil), p.take(p.count(1))...)
	s.Tensors = list(p, 3, func() Tensor {
		t := Tensor{Name: p.name()}
		for range p.uint(1) {
			t.Shape = append(t.Shape, int(p.uint(8)))
		}
		return t
	})
	if version == version2 {
		s.Dataset = append([]byte(nil), p.take(p.count(1))...)
		p.bad = p.bad || len(s.Dataset) == 0
	}
	return s, !p.bad && len(p.rest) == 0
}

// list reads a counted list of items of at least size bytes; an empty one is nil.
func list[T any](p *parser, size int, item func() T) []T {
	n := p.count(size)
	if n > maxList {
		p.bad = true
	}
	if p.bad || n == 0 {
		return nil
	}
	out := make([]T, n)
	for i := range out {
		out[i] = item()
	}
	return out
}
