package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
)

// TensorHash is the SHA-256 of float32 values, little-endian.
func TensorHash(data []float32) (sum [32]byte) {
	h := sha256.New()
	var buf [4096]byte
	for len(data) > 0 {
		n := min(len(data), len(buf)/4)
		for i, v := range data[:n] {
			binary.LittleEndian.PutUint32(buf[4*i:4*i+4], math.Float32bits(v))
		}
		h.Write(buf[:4*n])
		data = data[n:]
	}
	h.Sum(sum[:0])
	return sum
}

// Digest is the parameter digest of a model whose parameters have these hashes, in the model's order.
func Digest(tensors [][32]byte) [32]byte {
	h := sha256.New()
	for i := range tensors {
		h.Write(tensors[i][:])
	}
	return [32]byte(h.Sum(nil))
}
