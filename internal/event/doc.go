// Package event carries what happens in a cluster to NATS: the form of an event, the subjects, a publisher, a subscriber
// and a server to embed where the user runs none.
//
// An [Event] is a CloudEvents 1.0 message in JSON (https://github.com/cloudevents/spec, JSON event format). Subjects:
//
//	lockstep.v1.job.<id>.state | .progress | .metric | .checkpoint | .alert
//	lockstep.v1.worker.<id>.state
//	lockstep.v1.cluster.leader
//
// All of them are kept by one JetStream stream, [StreamName]. Events are derived from a log and published at least once:
//
//  1. Whoever publishes gives every message an id that is a function of its place in the log.
//  2. The publisher retries until JetStream acknowledges. JetStream drops an id that it stored before, within
//     [DuplicateWindow].
//  3. In a batch, each message names the one before it as the expected last one of the stream, so that a lost message
//     cannot be overtaken by those sent after it.
//
// Importing the NATS server registers profiling and variables on http.DefaultServeMux, as its own imports do: a program
// with this package must not serve that mux to others. It has no other effect on the process.
//
// The package does not keep an outbox: what is acknowledged is for the caller to remember.
package event
