// Package ledger is the step ledger of a job: a chain of records, each of which says what the model's parameters were
// after a step, and holds the hash of the record before it.
//
//	genesis          = SHA-256("lockstep ledger 1\n" | spec hash 32 | dataset's fingerprint 32 | training records u64)
//	record           = step u64 | epoch u64 | loss float64 | parameter digest 32 | hash of the record before, or genesis
//	hash of a record = SHA-256(record)                                        all integers and bits little-endian
//	parameter digest = SHA-256 over, for each parameter in the model's order, the SHA-256 of its float32 values
//
// The chain is a function of the specification, the data and the seed: which steps have a record follows from the
// number of the job's steps alone (Every), and what is in it from arithmetic that does not depend on the cluster. Equal
// heads are equal trainings. The newest record's hash, the head, is in every checkpoint and in the job's result.
//
// It is pure.
package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Limits of a ledger.
const (
	MaxRecords = 1025 // a job has at most 1024 records at regular steps, and one of its last step
	minEvery   = 16
)

// RecordLen is the length of a record in bytes.
const RecordLen = 8 + 8 + 8 + 32 + 32

// ErrChain marks a chain that does not hold together.
var ErrChain = errors.New("ledger does not hold together")

// Record is what the ledger says of one step.
type Record struct {
	Step   uint64 // steps made
	Epoch  uint64 // of that step, from 0
	Loss   float64
	Digest [32]byte // of the parameters after the step
	Prev   [32]byte // hash of the record before
}

// Every returns K, the number of steps from record to record in a job of so many steps: the least power of two, and at
// least 16, that gives at most 1024 of them.
func Every(total int) int {
	k := minEvery
	for total/k > MaxRecords-1 {
		k *= 2
	}
	return k
}

// Genesis is what the first record holds in the place of a hash.
func Genesis(specHash, fingerprint [32]byte, records int) [32]byte {
	b := append([]byte("lockstep ledger 1\n"), specHash[:]...)
	b = append(b, fingerprint[:]...)
	return sha256.Sum256(binary.LittleEndian.AppendUint64(b, uint64(records)))
}

// Hash is the hash of a record.
func (r Record) Hash() [32]byte { return sha256.Sum256(r.append(nil)) }

func (r Record) append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, r.Step)
	b = le.AppendUint64(b, r.Epoch)
	b = le.AppendUint64(b, math.Float64bits(r.Loss))
	b = append(b, r.Digest[:]...)
	return append(b, r.Prev[:]...)
}

// Head is the hash of the newest record, or the genesis of a chain without any.
func Head(genesis [32]byte, chain []Record) [32]byte {
	if len(chain) == 0 {
		return genesis
	}
	return chain[len(chain)-1].Hash()
}

// Check reports where a chain breaks: records out of order, or one that does not hold the hash of the one before it.
// The error matches ErrChain.
func Check(genesis [32]byte, chain []Record) error {
	head, step := genesis, uint64(0)
	for _, r := range chain {
		if r.Step <= step {
			return fmt.Errorf("%w: the record of step %d follows that of step %d", ErrChain, r.Step, step)
		}
		if r.Prev != head {
			return fmt.Errorf("%w: the record of step %d does not hold the hash of what is before it", ErrChain, r.Step)
		}
		head, step = r.Hash(), r.Step
	}
	return nil
}

// Upto returns the part of a chain up to and with a step.
func Upto(chain []Record, step uint64) []Record {
	n := len(chain)
	for n > 0 && chain[n-1].Step > step {
		n--
	}
	return chain[:n]
}

// Encode writes a chain as bytes, RecordLen each.
func Encode(chain []Record) []byte {
	b := make([]byte, 0, len(chain)*RecordLen)
	for _, r := range chain {
		b = r.append(b)
	}
	return b
}

// Decode reads what Encode wrote. It does not check the chain.
func Decode(b []byte) ([]Record, error) {
	if len(b)%RecordLen != 0 || len(b) > MaxRecords*RecordLen {
		return nil, fmt.Errorf("%w: %d bytes", ErrChain, len(b))
	}
	le := binary.LittleEndian
	chain := make([]Record, 0, len(b)/RecordLen)
	for ; len(b) > 0; b = b[RecordLen:] {
		chain = append(chain, Record{Step: le.Uint64(b), Epoch: le.Uint64(b[8:]), Loss: math.Float64frombits(le.Uint64(b[16:])),
			Digest: [32]byte(b[24:56]), Prev: [32]byte(b[56:88])})
	}
	return chain, nil
}
