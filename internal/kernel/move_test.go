package kernel

import (
	"slices"
	"testing"
)

func TestTranspose(t *testing.T) {
	for m := range 20 {
		for n := range 20 {
			x, got := random(m*n, 1), make([]float32, m*n)
			Transpose(got, x, m, n)
			for i := range m {
				for j := range n {
					if got[j*m+i] != x[i*n+j] {
						t.Fatalf("Transpose %dx%d: [%d,%d] is %v, want %v", m, n, j, i, got[j*m+i], x[i*n+j])
					}
				}
			}
		}
	}
}

func TestGatherScatter(t *testing.T) {
	table := []float32{0, 1, 10, 11, 20, 21, 30, 31}
	ids := []int32{3, 1, 1, 0}
	rows := make([]float32, 8)
	GatherRows(rows, table, ids, 2)
	if want := []float32{30, 31, 10, 11, 10, 11, 0, 1}; !slices.Equal(rows, want) {
		t.Errorf("GatherRows: %v, want %v", rows, want)
	}
	ScatterAddRows(table, rows, ids, 2)
	if want := []float32{0, 2, 30, 33, 20, 21, 60, 62}; !slices.Equal(table, want) {
		t.Errorf("ScatterAddRows: %v, want %v", table, want)
	}
}
