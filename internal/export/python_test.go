package export

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// script reads a safetensors file as the format's description says, on its own, and prints names, shapes and bits.
const script = `
import json, struct, sys
raw = open(sys.argv[1], 'rb').read()
n, = struct.unpack('<Q', raw[:8])
header = json.loads(raw[8:8+n].decode('utf-8'))
data, out, end = raw[8+n:], {}, 0
assert n % 8 == 0
for name, t in header.items():
    assert t['dtype'] == 'F32'
    a, b = t['data_offsets']
    assert a == end
    end = b
    out[name] = [t['shape'], list(struct.unpack('<%dI' % ((b - a) // 4), data[a:b]))]
assert end == len(data)
assert list(header) == sorted(header, key=lambda s: s.encode())
json.dump(out, sys.stdout)
`

func TestPythonReadsTheSame(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed: the independent reader is not run")
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := os.WriteFile(path, encode(t, sample()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), python, "-c", script, path).CombinedOutput()
	if err != nil {
		t.Fatalf("python3: %v\n%s", err, out)
	}
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{}
	for _, s := range sample() {
		shape, bits := []any{}, []any{}
		for _, d := range s.Shape {
			shape = append(shape, float64(d))
		}
		for _, v := range s.Data {
			bits = append(bits, float64(math.Float32bits(v)))
		}
		want[s.Name] = []any{shape, bits}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("python reads otherwise (-want +got):\n%s", diff)
	}
}
