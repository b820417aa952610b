// Package grpclink carries the frames of a ring over gRPC.
//
// A worker has one [Server], registered on its gRPC server beside any other services.
// For each generation it opens a [Link]. A member sends to another one on a stream of
// its own, on a connection of its own, which it dials:
//
//	member a                                              member b
//	Link.Send -> client stream  == lockstep.v1.Ring/Pass ==>  handler -> Link.Recv
//	             watcher        <== status: why it ended  ==  handler
//
// Nothing but the final status travels back. The stream's metadata says what it is:
// lockstep-job, lockstep-generation, lockstep-from, lockstep-to.
//
//  1. Open announces the session (job, generation, rank) to the server and dials the
//     successor. Other peers are dialled by the first frame for them.
//  2. A stream whose session is not open yet waits for it, for a bounded time. One of a
//     generation below the newest of its job is refused, as is a second one from the
//     same member. Refusals are counted.
//  3. Every outgoing stream has a watcher, so a peer's death is seen at once in both
//     directions, whether anything is being sent or not.
//  4. A link that ends tells its peers who is to blame, or that it just leaves: those who
//     send to it by the status of their streams, those whom it sends to by a call of
//     lockstep.v1.Ring/End. They end with the same culprit and pass it on, so the first
//     cause is known around the ring in moments, also to members that are computing.
//
// Messages are not protobuf: the content-subtype "lockstep-frame" selects a codec that
// hands gRPC the frame's own buffer and takes gRPC's buffers as the frame's parts.
package grpclink
