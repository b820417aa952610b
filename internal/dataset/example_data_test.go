package dataset

import (
	"encoding/hex"
	"slices"
	"testing"

	"lockstep/internal/spec"
)

const exampleData = "../../examples/data"

func digitsSpec() spec.Dataset {
	header := false
	return spec.Dataset{Format: "csv", Source: exampleData, Train: spec.Files{File: "digits.csv.gz"}, Header: &header,
		Target: &spec.Target{Column: "64", Type: "category"}, Split: &spec.Split{Train: 0.8, Test: 0.2}}
}

func TestDigits(t *testing.T) {
	d, err := Open(t.Context(), digitsSpec(), 42)
	if err != nil {
		t.Fatal(err)
	}
	info := d.Info()
	if info.Train != 1438 || info.Val != 0 || info.Test != 359 || !slices.Equal(info.Shape, []int{64}) || info.Integer || info.TargetShape != nil {
		t.Errorf("info %+v", info)
	}
	if want := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}; !slices.Equal(info.Classes, want) || info.ClassCount != 10 {
		t.Errorf("%d classes %q, want %q", info.ClassCount, info.Classes, want)
	}
	// Fixed: a change of the decoder, the split or the fingerprint itself shows here.
	if got, want := hex.EncodeToString(info.Fingerprint[:]), "ced6a32ad56239d8e71894458385ad3f87e40b13784c55e333a6145dc190c866"; got != want {
		t.Errorf("fingerprint %s, want %s", got, want)
	}
	counts := make([]int, 10)
	var b Batch
	for _, name := range []string{"train", "test"} {
		s := d.Split(name)
		if err := s.Read(&b, every(s.Len()), 0); err != nil {
			t.Fatal(err)
		}
		for _, l := range b.Labels {
			counts[l]++
		}
	}
	if want := []int{178, 182, 177, 183, 181, 182, 181, 179, 174, 180}; !slices.Equal(counts, want) {
		t.Errorf("class counts %v, want the data set's documented %v", counts, want)
	}
}

func TestIris(t *testing.T) {
	d, err := Open(t.Context(), spec.Dataset{Format: "csv", Source: exampleData + "/iris.csv",
		Target: &spec.Target{Column: "species", Type: "category"}, Preprocessing: []spec.Preprocessor{{Type: "standardize"}}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	info := d.Info()
	if want := []string{"setosa", "versicolor", "virginica"}; !slices.Equal(info.Classes, want) {
		t.Errorf("classes %q, want %q", info.Classes, want)
	}
	// Mean and deviation as statistics books print them.
	for i, want := range [][2]float64{{5.843333, 0.825301}, {3.057333, 0.434411}, {3.758, 1.759404}, {1.199333, 0.759693}} {
		p := info.Preprocessing[0]
		if d, e := p.Mean[i]-want[0], p.Std[i]-want[1]; d*d > 1e-11 || e*e > 1e-11 {
			t.Errorf("%s: mean %.6f, std %.6f, want %v", info.Columns[i].Name, p.Mean[i], p.Std[i], want)
		}
	}
}

func every(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
