package grpclink

import (
	"fmt"
	"sync"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"

	"lockstep/internal/ring"
)

// codecName is the content-subtype of streams of frames.
const codecName = "lockstep-frame"

// gRPC finds a server's codec by the content-subtype in a table that may be written
// during initialisation only. This is the one init of the package.
func init() { encoding.RegisterCodecV2(codec{}) }

// codec passes bytes through.
type codec struct{}

func (codec) Name() string { return codecName }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	o, ok := v.(*outgoing)
	if !ok {
		return nil, fmt.Errorf("marshal %T: not a frame", v)
	}
	return o.slice[:], nil
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	in, ok := v.(*incoming)
	if !ok {
		return fmt.Errorf("unmarshal %T: not a frame", v)
	}
	data.Ref()
	in.data = data
	in.frame.Parts = in.parts[:0]
	for _, b := range data {
		in.frame.Parts = append(in.frame.Parts, b.ReadOnlyData())
	}
	in.parts = in.frame.Parts
	return nil
}

// outgoing is a frame on its way to gRPC, which gives its buffer back through Put when
// nothing refers to it any more.
type outgoing struct {
	link  *peerStream
	frame *ring.Frame
	data  []byte
	slice [1]mem.Buffer
}

var outgoingPool = sync.Pool{New: func() any { return new(outgoing) }}

// newOutgoing wraps a frame of one part. It takes the frame over.
func newOutgoing(p *peerStream, f *ring.Frame) *outgoing {
	o := outgoingPool.Get().(*outgoing)
	o.link, o.frame, o.data = p, f, f.Parts[0]
	if len(f.Parts) > 1 {
		o.data = nil
		for _, b := range f.Parts {
			o.data = append(o.data, b...)
		}
	}
	if mem.IsBelowBufferPoolingThreshold(cap(o.data)) { // gRPC would not give it back
		o.data = append(make([]byte, 0, 2048), o.data...)
	}
	o.slice[0] = mem.NewBuffer(&o.data, o)
	return o
}

// Get implements mem.BufferPool; nobody asks for buffers here.
func (o *outgoing) Get(n int) *[]byte {
	b := make([]byte, n)
	return &b
}

// Put implements mem.BufferPool: gRPC is done with the frame.
func (o *outgoing) Put(*[]byte) {
	o.link.done()
	o.frame.Release()
	*o = outgoing{}
	outgoingPool.Put(o)
}

// incoming is a frame in gRPC's buffers.
type incoming struct {
	frame ring.Frame
	data  mem.BufferSlice
	parts [][]byte // kept for its capacity
}

var incomingPool = sync.Pool{New: func() any {
	in := new(incoming)
	in.frame.Owner = in
	return in
}}

// Free implements ring.Owner.
func (in *incoming) Free(*ring.Frame) {
	in.data.Free()
	clear(in.parts)
	in.data, in.frame.Parts = nil, nil
	incomingPool.Put(in)
}
