package kernel

import "testing"

// BenchmarkVector runs every kernel on slices of float32 with 32 rows of 128, or one vector of 4096.
func BenchmarkVector(b *testing.B) {
	const rows, n = 32, 128
	for _, g := range vectorGroups {
		for _, c := range g.cases {
			b.Run(c.name, func(b *testing.B) {
				r, m := rows, n
				if c.size(2, n)[0] == c.size(1, n)[0] {
					r, m = 1, rows*n
				}
				var s [][]float32
				for i, l := range c.size(r, m) {
					s = append(s, make([]float32, l))
					fill(s[i], uint64(i), false)
				}
				b.ReportAllocs()
				for b.Loop() {
					c.run(r, m, s)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(rows*n), "ns/elem")
			})
		}
	}
}
