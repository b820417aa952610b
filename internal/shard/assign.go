package shard

import (
	"fmt"
	"iter"
	"math"
)

// Range is the half-open interval [From, To).
type Range struct{ From, To int }

// Len returns the number of things in the range.
func (r Range) Len() int { return r.To - r.From }

// Rows yields the range in pieces of at most max, in order: the rows of one call of the model.
func (r Range) Rows(max int) iter.Seq[Range] {
	if max < 1 {
		panic(fmt.Sprintf("shard: pieces of %d rows", max))
	}
	return func(yield func(Range) bool) {
		for at := r.From; at < r.To; at += max {
			if !yield(Range{at, min(at+max, r.To)}) {
				return
			}
		}
	}
}

// Eval cuts n records into M contiguous parts, part m = [m*n/M, (m+1)*n/M): what the owner of segment m evaluates.
// A part may be empty.
func Eval(n, M int) []Range {
	if n < 0 || n > maxCount || M < 1 || M > maxCount {
		panic(fmt.Sprintf("shard: %d records in %d parts", n, M))
	}
	parts := make([]Range, M)
	for m := range parts {
		parts[m] = bounds(m, n, M)
	}
	return parts
}

// Assign deals M segments to members in ring order: member i owns the contiguous range i of the result, whose length
// is in proportion to weights[i], its measured speed, rounded by largest remainder (the earlier member wins a tie).
// Every member owns a segment if there are enough of them. A weight that is not a positive finite number stands for a
// speed not yet measured and counts as the mean of those that are.
//
// The result decides who computes what, and no bit of any result.
func Assign(M int, weights []float64) []Range {
	if M < 1 || M > maxCount || len(weights) == 0 {
		panic(fmt.Sprintf("shard: %d segments for %d members", M, len(weights)))
	}
	quotas := quotas(M, weights)
	counts := make([]int, len(quotas))
	least, left := 0, M
	if M >= len(quotas) {
		least = 1
	}
	for i, q := range quotas {
		counts[i] = max(least, int(q))
		left -= counts[i]
	}
	for ; left > 0; left-- {
		counts[furthest(quotas, counts, 1, math.MinInt)]++
	}
	for ; left < 0; left++ {
		counts[furthest(quotas, counts, -1, least)]--
	}
	ranges := make([]Range, len(counts))
	at := 0
	for i, n := range counts {
		ranges[i] = Range{at, at + n}
		at += n
	}
	return ranges
}

// furthest returns the member with the largest sign*(quota-count) among those with more than least segments.
func furthest(quotas []float64, counts []int, sign float64, least int) int {
	best, far := -1, math.Inf(-1)
	for i, q := range quotas {
		if d := sign * (q - float64(counts[i])); counts[i] > least && d > far {
			best, far = i, d
		}
	}
	return best
}

// quotas returns M*w/sum(w) for each weight w.
func quotas(M int, weights []float64) []float64 {
	usable := func(w float64) bool { return w > 0 && !math.IsInf(w, 1) }
	top := 0.0
	for _, w := range weights {
		if usable(w) {
			top = max(top, w)
		}
	}
	sum, n := 0.0, 0
	for _, w := range weights {
		if usable(w) {
			sum += w / top // scaled, so that the sum is finite
			n++
		}
	}
	mean := 1.0
	if n > 0 {
		mean = sum / float64(n)
	}
	q := make([]float64, len(weights))
	for i, w := range weights {
		q[i] = mean
		if usable(w) {
			q[i] = w / top
		}
	}
	sum += mean * float64(len(weights)-n)
	for i := range q {
		q[i] = float64(M) * (q[i] / sum)
	}
	return q
}
