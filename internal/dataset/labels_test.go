package dataset

import (
	"slices"
	"strings"
	"testing"

	"lockstep/internal/spec"
)

// What labels are follows from the specification, or else from how they are stored.
func TestArrayTargets(t *testing.T) {
	x := npyFile("|u1", false, "(3, 2)", []byte{1, 2, 3, 4, 5, 6})
	ints, reals := npyFile("<i4", false, "(3,)", []int32{-7, 300, 2}), npyFile("<f8", false, "(3, 1)", []float64{5, -1, 5})
	pairs := npyFile("<i2", false, "(3, 2)", []int16{1, 2, 3, 4, 5, 6})
	for name, c := range map[string]struct {
		y       []byte
		kind    string // "": no target is given
		labels  []int32
		wantY   []float32
		classes []string
	}{
		"whole":               {ints, "", []int32{0, 2, 1}, nil, []string{"-7", "2", "300"}},
		"whole as numbers":    {ints, "number", nil, []float32{-7, 300, 2}, nil},
		"whole as categories": {ints, "category", []int32{0, 2, 1}, nil, []string{"-7", "2", "300"}},
		"real":                {reals, "", nil, []float32{5, -1, 5}, nil},
		"real as numbers":     {reals, "number", nil, []float32{5, -1, 5}, nil},
		"real as categories":  {reals, "category", []int32{1, 0, 1}, nil, []string{"-1", "5"}},
		"pairs":               {pairs, "", nil, []float32{1, 2, 3, 4, 5, 6}, nil},
		"pairs as numbers":    {pairs, "number", nil, []float32{1, 2, 3, 4, 5, 6}, nil},
	} {
		dir := folder(t, map[string][]byte{"x": x, "y": c.y, "a.npz": npzFile(map[string][]byte{"x_train": x, "y_train": c.y})})
		var target *spec.Target
		if c.kind != "" {
			target = &spec.Target{Type: c.kind}
		}
		for _, d := range []spec.Dataset{{Format: "npy", Train: spec.Files{Images: "x", Labels: "y"}}, {Format: "npz", Train: spec.Files{File: "a.npz"}}} {
			t.Run(name+"/"+d.Format, func(t *testing.T) {
				d.Source, d.Target = dir, target
				ds := opened(t, d, 1)
				b := whole(t, ds.Split("train"))
				if !slices.Equal(b.Labels, c.labels) || !slices.Equal(b.Y, c.wantY) || !slices.Equal(ds.Info().Classes, c.classes) {
					t.Errorf("labels %v, numbers %v, classes %q", b.Labels, b.Y, ds.Info().Classes)
				}
			})
		}
	}
}

func TestArrayTargetsIdx(t *testing.T) {
	d := idxSpec(folder(t, map[string][]byte{"x": idxFile(idxUbyte, []uint32{2, 1}, []byte{0, 1}), "y": idxFile(idxUbyte, []uint32{2}, []byte{9, 200})}))
	d.Target = &spec.Target{Type: "number"}
	if b := whole(t, opened(t, d, 1).Split("train")); !slices.Equal(b.Y, []float32{9, 200}) {
		t.Errorf("%v", b.Y)
	}
}

func TestArrayTargetsBad(t *testing.T) {
	x := npyFile("|u1", false, "(2, 2)", []byte{1, 2, 3, 4})
	for name, c := range map[string]struct {
		y    []byte
		kind string
		want string
	}{
		"fraction": {npyFile("<f4", false, "(2,)", []float32{3, 0.5}), "category", "a.npz/y.npy: record 2: label 0.5 is not a whole number, which a category is"},
		"large":    {npyFile("<f4", false, "(2,)", []float32{3, 1e20}), "category", "a.npz/y.npy: record 2: label 100000002004087734272 is too large"},
		"pairs":    {npyFile("<i4", false, "(2, 2)", make([]int32, 4)), "category", "a.npz/y.npy: labels of 2 numbers, a category is a single one: say target: {type: number}"},
		"none":     {nil, "number", "a.npz/x.npy: its records have no labels, and the target says what they are"},
	} {
		t.Run(name, func(t *testing.T) {
			arrays := map[string][]byte{"x": x}
			if c.y != nil {
				arrays["y"] = c.y
			}
			dir := folder(t, map[string][]byte{"a.npz": npzFile(arrays)})
			_, err := Open(t.Context(), spec.Dataset{Format: "npz", Source: dir, Train: spec.Files{File: "a.npz"}, Target: &spec.Target{Type: c.kind}}, 1)
			if err == nil || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("error %v\nwant  %s", err, c.want)
			}
		})
	}
}
