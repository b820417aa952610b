package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// maxParquetDepth is the number of groups in groups that a schema may have.
const maxParquetDepth = 64

// footerStruct is about the memory that a struct of the footer takes.
const footerStruct = 1 << 10

// checkFooter judges the footer of a parquet file before the library reads it, which believes it. It returns where the footer
// begins.
//
//	PAR1 | pages ... | footer | length of the footer (32 bits, little-endian) | PAR1
func checkFooter(f io.ReaderAt, size int64) (int64, error) {
	var end [8]byte
	if size < int64(len(end)+4) {
		return 0, fmt.Errorf("it has %d bytes", size)
	}
	if err := readAll(f, end[:], size-8); err != nil {
		return 0, err
	}
	if string(end[4:]) != "PAR1" {
		return 0, fmt.Errorf("it ends with %q, want \"PAR1\"", end[4:])
	}
	n := int64(binary.LittleEndian.Uint32(end[:]))
	if n > size-12 {
		return 0, fmt.Errorf("its footer would have %d bytes, the file has %d", n, size)
	}
	footer := make([]byte, n)
	if err := readAll(f, footer, size-8-n); err != nil {
		return 0, err
	}
	w := thriftWalk{b: footer}
	if err := w.structure(0); err != nil {
		return 0, fmt.Errorf("its footer: %w", err)
	}
	if claim := int64(w.structs) * footerStruct; isBomb(claim, n) {
		return 0, fmt.Errorf("its footer of %d bytes would become %d: this looks like a bomb", n, claim)
	}
	var m format.FileMetaData
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), footer[:len(footer)-len(w.b)], &m); err != nil {
		return 0, fmt.Errorf("its footer: %w", err)
	}
	return size - 8 - n, checkSchema(&m)
}

// checkSchema bounds the depth of the schema, and makes sure that a row group has a chunk for each column, and that a column
// is compressed alike everywhere: the library looks at the first row group alone.
func checkSchema(m *format.FileMetaData) error {
	leaves := 0
	var open []int32 // children that are still to come, of each group that is open
	for i := range m.Schema {
		e := &m.Schema[i]
		if e.Type.Valid {
			leaves++
		}
		if n := e.NumChildren; n.Valid && n.V > 0 {
			if open = append(open, n.V); len(open) > maxParquetDepth {
				return fmt.Errorf("its schema has groups in groups, more than %d", maxParquetDepth)
			}
			continue
		}
		for len(open) > 0 {
			if open[len(open)-1]--; open[len(open)-1] > 0 {
				break
			}
			open = open[:len(open)-1]
		}
	}
	for i := range m.RowGroups {
		g := &m.RowGroups[i]
		if len(g.Columns) != leaves {
			return fmt.Errorf("row group %d has %d columns, the schema has %d", i+1, len(g.Columns), leaves)
		}
		for c := range g.Columns {
			if g.Columns[c].MetaData.Codec != m.RowGroups[0].Columns[c].MetaData.Codec {
				return errors.New("a column is compressed in different ways in different row groups")
			}
		}
	}
	return nil
}

// isBomb reports whether what is read would take so much more memory than its bytes that no data but constants do.
func isBomb(claim, size int64) bool { return claim > bombBytes && claim/bombRatio > size }

// readAll fills dst from an offset.
func readAll(f io.ReaderAt, dst []byte, off int64) error {
	n, err := f.ReadAt(dst, off)
	if n == len(dst) {
		return nil
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// pageHeader decodes the header that b begins with, and returns its length. io.ErrUnexpectedEOF: b ends inside.
func pageHeader(b []byte) (*format.PageHeader, int, error) {
	w := thriftWalk{b: b}
	if err := w.structure(0); err != nil {
		return nil, 0, err
	}
	n := len(b) - len(w.b)
	h := new(format.PageHeader)
	return h, n, thrift.Unmarshal(new(thrift.CompactProtocol), bytes.Clone(b[:n]), h)
}
