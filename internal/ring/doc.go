// Package ring sums vectors across the members of one generation.
//
// # Frames
//
// All that travels is a frame; several of them cross a [Link] in order. Numbers are
// little-endian.
//
//	 0       4       8              16             24             32
//	 | magic | crc   | job          | generation   | step         |
//	 | attempt|bucket| offset       | count |length| from|kind|v|round|sum|
//	32      36      40             48      52     56    58   59 60    62  64
//	 | payload, length bytes ...                                  |
//
// crc is the CRC-32C of all that follows it; where sum is 1 of the header alone, which
// is refused unless the frame came in memory that both members share. job is a hash of
// the job's name. offset and count say which values of the vector the payload holds, round in which round
// of the algorithm it was sent. Kinds of payload:
//
//	sums     integers, packed by Config.Packing
//	floats   float32
//	words    integers of AllReduceInt64, packed
//	halves   bfloat16, the upper halves of float32
//	waiting  the sender has waited long for the rank in offset
//
// # Large vectors: a ring in segments
//
// A vector of n values is cut into one chunk a member, a chunk into segments: four, or
// as many as it takes to have 16384 to 65536 values in each. With 4 members and two
// segments a chunk:
//
//		values  0                                                            n
//		chunk   |       0       |       1       |       2       |       3       |
//		segment |   0   |   1   |   0   |   1   |   0   |   1   |   0   |   1   |
//
//		member 0 sends   round 0: 0   1: 3   2: 2 | 3: 1   4: 0   5: 3
//		member 0 gets    round 0: 3   1: 2   2: 1 | 3: 0   4: 3   5: 2
//		                 integers, added          | float32, copied
//
//	 1. Reduce-scatter, rounds 0 to W-2: in round k member r sends chunk r-k to its
//	    successor and adds chunk r-k-1, which comes from its predecessor.
//	 2. The last of them completes chunk r+1 at member r, which converts it to
//	    float32, segment by segment.
//	 3. All-gather, rounds W-1 to 2W-3: the float32 chunks travel on around the ring.
//
// A segment that came in is sent on in the next round at once, so all links are busy
// throughout. The order of frames on a link is fixed: the receiver knows the header
// that must come next.
//
// # Small vectors: direct, or by doubling
//
// A vector that fits the shortest segment is not cut. If the number of members is small, it goes,
// packed, from every member to every other one: each adds what it gets and converts all
// of it. Else members exchange sums at distances 1, 2, 4, ...; those beyond a power of
// two hand theirs in before and get the result afterwards. Sums of integers do not depend
// on the order of the additions, so the bits are those of the ring.
//
//	member            0    1    2    3    4    5        of 6
//	hand in           0 <------------- 4
//	                       1 <------------- 5
//	distance 1        0 <> 1    2 <> 3
//	distance 2        0 <-----> 2
//	                       1 <-----> 3
//	result            0 -------------> 4
//	                       1 -------------> 5
//
// # Failure
//
//  1. A frame of another job or generation, or of an operation before the present
//     one, is dropped and counted. Anything else that is not the expected frame ends
//     the operation with a *PeerError that names its sender.
//  2. Every wait for a frame has a deadline, Config.Timeout after the wait began. At
//     half of that time a member tells its successor whom it waits for. Who runs out
//     of time blames whom its peer has named, so all blame the member that is the
//     first cause, not the one next to them.
//  3. A member that fails closes its link, which tells the others whom it blames.
//  4. After an error the ring is of no use any more and its link is closed. dst, acc
//     and words hold nothing of use; the trainer's state is elsewhere.
//
// What the package does not do: it knows neither who the members are nor how to
// replace one, it never reconnects, and it does not overlap two operations.
package ring
