package tfevents

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lockstep/internal/testpython"
)

// reader reads event files with nothing of ours: CRC-32C bit by bit, messages by their wire format.
const reader = `
import json, struct, sys
def crc32c(b):
    c = 0xffffffff
    for x in b:
        c ^= x
        for _ in range(8):
            c = (c >> 1) ^ (0x82f63b78 if c & 1 else 0)
    return c ^ 0xffffffff
def masked(b):
    c = crc32c(b)
    return ((c >> 15 | c << 17) + 0xa282ead8) & 0xffffffff
def varint(b, i):
    v = s = 0
    while True:
        v |= (b[i] & 127) << s
        s += 7
        i += 1
        if b[i-1] < 128:
            return v, i
def fields(b):
    i, out = 0, []
    while i < len(b):
        key, i = varint(b, i)
        if key & 7 == 0:
            v, i = varint(b, i)
        elif key & 7 == 1:
            v, i = struct.unpack('<d', b[i:i+8])[0], i + 8
        elif key & 7 == 2:
            n, i = varint(b, i)
            v, i = b[i:i+n], i + n
        else:
            v, i = struct.unpack('<f', b[i:i+4])[0], i + 4
        out.append((key >> 3, v))
    return out
raw, at, out = open(sys.argv[1], 'rb').read(), 0, []
while at < len(raw):
    head = raw[at:at+8]
    n, = struct.unpack('<Q', head)
    assert struct.unpack('<I', raw[at+8:at+12])[0] == masked(head)
    data = raw[at+12:at+12+n]
    assert struct.unpack('<I', raw[at+12+n:at+16+n])[0] == masked(data)
    at += 16 + n
    e = dict(fields(data))
    if 3 in e:
        out.append([e[1], e[2], e[3].decode()])
        continue
    for k, v in fields(e[5]):
        s = dict(fields(v))
        out.append([e[1], e[2], s[1].decode(), s[2]])
json.dump(out, sys.stdout)
`

func TestIndependentReader(t *testing.T) {
	python := testpython.Find(t)
	dir := filepath.Join(t.TempDir(), "a", "b")
	at := time.UnixMilli(1_700_000_000_250)
	w, err := Create(dir, at)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(at, 1<<40, []Scalar{{"loss/train", 0.5}, {"größe", math.MaxFloat32}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := Create(dir, at)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 2 {
		t.Fatalf("%v, %v", names, err)
	}
	var got [][]any
	if err := json.Unmarshal(testpython.Run(t, python, reader, filepath.Join(dir, names[0].Name())), &got); err != nil {
		t.Fatal(err)
	}
	want := [][]any{{1_700_000_000.25, 0.0, "brain.Event:2"}, {1_700_000_000.25, float64(1 << 40), "loss/train", 0.5},
		{1_700_000_000.25, float64(1 << 40), "größe", math.MaxFloat32}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
