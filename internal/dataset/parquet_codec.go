package dataset

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// inflater decompresses pages to the size that their headers announce, and never to more: the library's decoders take what
// the compressed stream claims.
type inflater struct {
	buf  []byte
	zstd *zstd.Decoder
}

var errInflated = errors.New("it does not decompress to the size that its header says")

// inflate decompresses a page to exactly size bytes, valid until the next call.
func (p *inflater) inflate(codec format.CompressionCodec, b []byte, size int) ([]byte, error) {
	if size < 0 {
		return nil, errInflated
	}
	if codec == format.Uncompressed || len(b) == 0 && size == 0 {
		return b, nil
	}
	if cap(p.buf) < size+1 { // one more shows that there is more
		p.buf = make([]byte, size+1)
	}
	n, err := p.into(p.buf[:size+1], codec, b, size)
	if err == nil && n != size {
		err = errInflated
	}
	return p.buf[:size], err
}

func (p *inflater) into(dst []byte, codec format.CompressionCodec, b []byte, size int) (int, error) {
	switch codec {
	case format.Snappy:
		if n, err := snappy.DecodedLen(b); err != nil || n != size {
			return n, err
		}
		_, err := snappy.Decode(dst, b)
		return size, err
	case format.Gzip:
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return 0, err
		}
		return readUpTo(z, dst)
	case format.Brotli:
		return readUpTo(brotli.NewReader(bytes.NewReader(b)), dst)
	case format.Lz4Raw:
		return lz4.UncompressBlock(b, dst[:size])
	case format.Zstd:
		if err := p.openZstd(); err != nil {
			return 0, err
		}
		out, err := p.zstd.DecodeAll(b, dst[:0:len(dst)])
		return len(out), err
	}
	return 0, fmt.Errorf("it is compressed by %v", codec)
}

// openZstd makes the decoder that takes no more than there is room for.
func (p *inflater) openZstd() (err error) {
	if p.zstd == nil {
		p.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true))
	}
	return err
}

// readUpTo fills dst as far as there is something to read.
func readUpTo(r io.Reader, dst []byte) (int, error) {
	n, err := io.ReadFull(r, dst)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return n, err
}
