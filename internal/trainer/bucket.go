package trainer

import "lockstep/internal/model"

// bucket is a part of the gradient that is reduced at once: parameters first ... last, which backward completes from
// the last to the first, and their range of the flat vector.
type bucket struct {
	first, last int
	off, end    int
}

// planBuckets cuts the parameters, from the last to the first, into buckets of at least mb MiB of float32.
func planBuckets(params []model.Param, mb float64) []bucket {
	least := int(mb * (1 << 20) / 4)
	var out []bucket
	for last := len(params) - 1; last >= 0; {
		first := last
		end := params[last].Off + params[last].Len
		for first > 0 && end-params[first].Off < least {
			first--
		}
		out = append(out, bucket{first: first, last: last, off: params[first].Off, end: end})
		last = first - 1
	}
	return out
}

// bucketOf maps each parameter to its bucket.
func bucketOf(params []model.Param, buckets []bucket) []int {
	out := make([]int, len(params))
	for b, k := range buckets {
		for p := k.first; p <= k.last; p++ {
			out[p] = b
		}
	}
	return out
}
