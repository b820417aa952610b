package shard

import (
	"slices"
	"testing"
)

// TestShardsOf compares with the records themselves.
func TestShardsOf(t *testing.T) {
	for _, p := range []Plan{
		{Records: 22, ShardRecords: 5, Micro: 3, Batch: 8, Seed: 1, Shuffle: true},
		{Records: 22, ShardRecords: 5, Micro: 3, Batch: 8, Seed: 1},
		{Records: 3, ShardRecords: 100, Micro: 2, Batch: 2, Seed: 7, Shuffle: true},
		{Records: 1000, ShardRecords: 7, Micro: 16, Batch: 64, Seed: 3, Shuffle: true},
	} {
		for e := range 3 {
			o := p.Epoch(e)
			for m := range p.Micro {
				var want []int
				for step := range p.StepsPerEpoch() {
					for _, r := range o.Slice(nil, step, m) {
						if s := r / p.ShardRecords; !slices.Contains(want, s) {
							want = append(want, s)
						}
					}
				}
				if got := o.ShardsOf(o.Segment(m)); !slices.Equal(got, want) {
					t.Errorf("%+v, epoch %d, segment %d: shards %v, want %v", p, e, m, got, want)
				}
			}
		}
	}
}
