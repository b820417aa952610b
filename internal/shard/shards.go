package shard

// ShardsOf returns the shards that have the records at positions [r.From, r.To) of the epoch's order, as they come.
func (o *Order) ShardsOf(r Range) []int {
	var out []int
	for pos := r.From; pos < r.To; {
		if o.shards == nil {
			i := pos / o.plan.ShardRecords
			out, pos = append(out, i), (i+1)*o.plan.ShardRecords
			continue
		}
		s, at := o.find(pos)
		out, pos = append(out, int(s)), pos+o.size(s)-at
	}
	return out
}
