package export

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
)

// WriteSafetensors writes tensors to w in the canonical form. The order of tensors does not matter; names must be
// unique, not empty, UTF-8 without control characters.
func WriteSafetensors(w io.Writer, tensors []Tensor) error {
	ts, err := sorted(tensors)
	if err != nil {
		return fmt.Errorf("write safetensors: %w", err)
	}
	if err := writeSorted(w, ts, nil); err != nil {
		return fmt.Errorf("write safetensors: %w", err)
	}
	return nil
}

// WriteWithMetadata writes tensors to w as WriteSafetensors does, but with metadata in front of them in the header. It is
// not the canonical form.
func WriteWithMetadata(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	ts, err := sorted(tensors)
	if err == nil {
		var about []byte
		if about, err = json.Marshal(metadata); err == nil {
			err = writeSorted(w, ts, about)
		}
	}
	if err != nil {
		return fmt.Errorf("write safetensors: %w", err)
	}
	return nil
}

// Digest returns "sha256:" and the hexadecimal SHA-256 of what [WriteSafetensors] writes for tensors.
func Digest(tensors []Tensor) (string, error) {
	ts, err := sorted(tensors)
	if err != nil {
		return "", fmt.Errorf("digest model: %w", err)
	}
	h := sha256.New()
	if err := writeSorted(h, ts, nil); err != nil {
		return "", fmt.Errorf("digest model: %w", err)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// writeSorted writes a file. metadata is a JSON object, or nil.
func writeSorted(w io.Writer, ts []Tensor, metadata []byte) error {
	if _, err := w.Write(appendHeader(nil, ts, metadata)); err != nil {
		return err
	}
	buf := make([]byte, 0, 64<<10)
	for i := range ts {
		if err := writeFloats(w, buf, ts[i].Data); err != nil {
			return err
		}
	}
	return nil
}

// appendHeader appends the length word and the padded JSON header of ts to dst, which is empty.
func appendHeader(dst []byte, ts []Tensor, metadata []byte) []byte {
	dst = append(dst, "\x00\x00\x00\x00\x00\x00\x00\x00{"...)
	if metadata != nil {
		dst = append(append(append(dst, '"'), metadataKey+`":`...), metadata...)
	}
	off := int64(0)
	for i := range ts {
		if i > 0 || metadata != nil {
			dst = append(dst, ',')
		}
		end := off + 4*int64(len(ts[i].Data))
		dst = appendEntry(dst, &ts[i], off, end)
		off = end
	}
	dst = append(dst, '}')
	for len(dst)%8 != 0 {
		dst = append(dst, ' ')
	}
	binary.LittleEndian.PutUint64(dst, uint64(len(dst)-8))
	return dst
}

func appendEntry(dst []byte, t *Tensor, off, end int64) []byte {
	dst = appendQuoted(dst, t.Name)
	dst = append(dst, `:{"dtype":"F32","shape":[`...)
	for i, d := range t.Shape {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(d), 10)
	}
	dst = append(dst, `],"data_offsets":[`...)
	dst = strconv.AppendInt(dst, off, 10)
	dst = append(dst, ',')
	dst = strconv.AppendInt(dst, end, 10)
	return append(dst, "]}"...)
}

// appendQuoted appends name as a JSON string. Control characters were refused before, so that only the quote and the
// backslash need an escape and all writers of the format agree on the bytes.
func appendQuoted(dst []byte, name string) []byte {
	dst = append(dst, '"')
	for i := range len(name) {
		if name[i] == '"' || name[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, name[i])
	}
	return append(dst, '"')
}

// writeFloats writes data little-endian through buf, whose capacity is a positive multiple of 4.
func writeFloats(w io.Writer, buf []byte, data []float32) error {
	for len(data) > 0 {
		n := min(len(data), cap(buf)/4)
		buf = buf[:4*n]
		for i, v := range data[:n] {
			binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(v))
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}
