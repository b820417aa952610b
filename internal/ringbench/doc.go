// Package ringbench measures the all-reduce between the members of a world of its own, beside the same sums over bare
// TCP connections:
//
//  1. Whoever measures calls MeasureRing of every member at once, with the members' addresses in ring order.
//  2. Each member opens a link and a ring under the name of the run, and tells the others the port of its bare ring.
//  3. For every size and repeat the ring and the bare ring take turns, so that both see the same machine.
//
// [Serve] is a process that is a member and nothing else; workers take part while they have no job.
package ringbench
