// Package shard decides which record belongs to which micro-batch. Everything in it is a pure function of a Plan and
// an epoch: no worker, no membership and no history comes in, so any worker can compute any micro-batch of any step.
//
// An epoch of N = 22 records in shards of 5, with M = 3 segments and a global batch of 8, so S = ceil(22/8) = 3 steps:
//
//	records   0 1 2 3 4 | 5 6 7 8 9 | 10 11 12 13 14 | 15 16 17 18 19 | 20 21      as they are stored
//	shards        0           1            2                3            4
//
//	          1. the shards are permuted                     rng.ShardOrder(epoch)
//	          2. the records inside each shard are permuted  rng.RecordOrder(epoch, shard)
//
//	order     2 4 1 0 3 | 6 5 7 8 9 | 19 15 18 16 17 | 21 20 | 11 12 14 13 10        the order of the epoch
//	shards        0           1              3           4           2
//
//	          3. the order is cut into M segments, segment m = [m*N/M, (m+1)*N/M)
//	          4. a segment of L records is cut into S slices, slice t of segment m = [t*L/S + m/M, (t+1)*L/S + m/M), rounded down
//
//	             step 0     step 1     step 2
//	segment 0     2  4    |  1  0    |  3  6  5
//	segment 1     7  8    |  9 19 15 | 18 16
//	segment 2    17 21 20 | 11 12 14 | 13 10
//
// Invariants:
//
//  1. Every record is in exactly one slice of an epoch: nothing is padded, dropped or repeated.
//  2. The sizes of the segments differ by at most one, and so do the sizes of a segment's slices.
//  3. A slice may be empty, but no step is: Validate wants M <= Batch, hence S <= ceil(N/M), so the longest segment
//     has a record for every step.
//  4. A segment is contiguous in the epoch's order, so whoever owns it reads about 1/M of the shards.
//
// Without shuffling, steps 1 and 2 are left out and the order is that of the records as stored.
package shard
