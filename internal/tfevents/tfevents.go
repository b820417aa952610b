// Package tfevents writes figures as TensorBoard reads them: event files of TFRecords
// (https://www.tensorflow.org/tutorials/load_data/tfrecord) that hold tensorflow.Event messages.
//
//	+------------+---------------------+--------------+----------------------+
//	| length u64 | masked CRC-32C of   | event,       | masked CRC-32C of    |
//	| LE         | the length, u32 LE  | length bytes | the event, u32 LE    |
//	+------------+---------------------+--------------+----------------------+
//	masked: rotated right by 15 bits, plus 0xa282ead8
package tfevents

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/bits"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Scalar is a named figure.
type Scalar struct {
	Tag   string
	Value float64
}

// Writer writes one event file. It is not for concurrent use.
type Writer struct{ w io.WriteCloser }

// Create makes an event file in a folder, which is made if it is not there. The file has a name of its own: it never
// takes the place of another.
func Create(dir string, now time.Time) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create event file: %w", err)
	}
	for n := 0; ; n++ {
		name := filepath.Join(dir, fmt.Sprintf("events.out.tfevents.%010d.lockstep.%d.%d", now.Unix(), os.Getpid(), n))
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("create event file: %w", err)
		}
		w := &Writer{f}
		if err := w.write(event(now, 0, protowire.AppendString(protowire.AppendTag(nil, 3, protowire.BytesType), "brain.Event:2"))); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return w, nil
	}
}

// Add writes the figures of a step.
func (w *Writer) Add(at time.Time, step int64, scalars []Scalar) error {
	var summary []byte
	for _, s := range scalars {
		value := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), s.Tag)
		value = protowire.AppendFixed32(protowire.AppendTag(value, 2, protowire.Fixed32Type), math.Float32bits(float32(s.Value)))
		summary = protowire.AppendBytes(protowire.AppendTag(summary, 1, protowire.BytesType), value)
	}
	return w.write(event(at, step, protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), summary)))
}

// Close closes the file.
func (w *Writer) Close() error { return w.w.Close() }

// event is an Event message; what is its last field, encoded.
func event(at time.Time, step int64, what []byte) []byte {
	m := protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), math.Float64bits(float64(at.UnixMilli())/1000))
	m = protowire.AppendVarint(protowire.AppendTag(m, 2, protowire.VarintType), uint64(step))
	return append(m, what...)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func masked(b []byte) uint32 {
	return bits.RotateLeft32(crc32.Checksum(b, castagnoli), -15) + 0xa282ead8
}

// write writes one record, in one call, so that who follows the file never sees half of one for long.
func (w *Writer) write(m []byte) error {
	le := binary.LittleEndian
	record := le.AppendUint64(nil, uint64(len(m)))
	record = le.AppendUint32(record, masked(record))
	record = append(record, m...)
	record = le.AppendUint32(record, masked(m))
	if _, err := w.w.Write(record); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return nil
}
