package shard

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestAssign(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		m       int
		weights []float64
		want    []int // segments a member
	}{
		{8, []float64{1}, []int{8}},
		{8, []float64{1, 1}, []int{4, 4}},
		{8, []float64{1, 1, 1}, []int{3, 3, 2}},
		{8, []float64{3, 1}, []int{6, 2}},
		{8, []float64{1, 100}, []int{1, 7}},
		{8, []float64{1, 1000, 1}, []int{1, 6, 1}},
		{4, []float64{1, 1e9, 2, 1}, []int{1, 1, 1, 1}},
		{8, []float64{0, 2, 2}, []int{3, 3, 2}},                // not measured: as fast as the others
		{12, []float64{2, 0, 4, nan, 3}, []int{2, 3, 3, 2, 2}}, // quotas 1.6 2.4 3.2 2.4 2.4
		{6, []float64{-1, inf, 0}, []int{2, 2, 2}},
		{6, []float64{1e308, 1e308, 1e308}, []int{2, 2, 2}},
		{6, []float64{5e-324, 5e-324}, []int{3, 3}},
		{2, []float64{1, 5, 1}, []int{0, 2, 0}}, // fewer segments than members
		{1, []float64{1, 5, 1}, []int{0, 1, 0}},
	} {
		var got []int
		for _, r := range Assign(c.m, c.weights) {
			got = append(got, r.Len())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("Assign(%d, %v) deals %v, want %v", c.m, c.weights, got, c.want)
		}
	}
}

func TestAssignProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		M, weights := 1+r.IntN(64), make([]float64, 1+r.IntN(12))
		sum := 0.0
		for i := range weights {
			weights[i] = math.Exp(4 * r.NormFloat64())
			sum += weights[i]
		}
		ranges := Assign(M, weights)
		at := 0
		for i, g := range ranges {
			if g.From != at || g.Len() < 0 {
				t.Fatalf("Assign(%d, %v) = %v: not contiguous at member %d", M, weights, ranges, i)
			}
			at = g.To
			if M >= len(weights) && g.Len() == 0 {
				t.Fatalf("Assign(%d, %v) = %v: member %d has none", M, weights, ranges, i)
			}
			quota := float64(M) * weights[i] / sum
			if over := float64(g.Len()) - quota; over >= 1+1e-9 && g.Len() > 1 {
				t.Fatalf("Assign(%d, %v) = %v: member %d is %.3f over its quota", M, weights, ranges, i, over)
			}
		}
		if at != M || len(ranges) != len(weights) {
			t.Fatalf("Assign(%d, %v) = %v: %d segments dealt", M, weights, ranges, at)
		}
	}
}

func TestEvalCoversEveryRecordOnce(t *testing.T) {
	for _, n := range []int{0, 1, 7, 360, 10000} {
		for _, M := range []int{1, 2, 8, 13} {
			next, rows := 0, 32
			for m, part := range Eval(n, M) {
				if part != (Range{m * n / M, (m + 1) * n / M}) {
					t.Fatalf("Eval(%d, %d): part %d is %v", n, M, m, part)
				}
				for piece := range part.Rows(rows) {
					if piece.From != next || piece.Len() < 1 || piece.Len() > rows {
						t.Fatalf("Eval(%d, %d) part %d: piece %v after record %d", n, M, m, piece, next)
					}
					next = piece.To
				}
			}
			if next != n {
				t.Fatalf("Eval(%d, %d) covers %d records", n, M, next)
			}
		}
	}
}

func TestRowsStops(t *testing.T) {
	n := 0
	for range (Range{0, 10}).Rows(3) {
		n++
		break
	}
	if n != 1 {
		t.Fatalf("%d pieces after a break", n)
	}
}
