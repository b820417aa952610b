// Package job is the replicated state of a cluster: its coordinators, workers, jobs, generations, checkpoints and
// events, and the commands that change them.
//
// It is pure. State.Apply has no clock, randomness, I/O or map order in it; what a command needs of these the leader
// has put into the command. Replicas that apply the same commands in the same order are equal, byte for byte.
//
// Records are immutable once stored: a command replaces a record, it never writes into one. A reader may therefore
// keep what a query gave it, and a snapshot is a copy of the tables, not of the records.
//
// A job's life:
//
//	PENDING --FormGeneration--> RUNNING --FinishJob--> SUCCEEDED
//	                             |   ^ --FailJob-----> FAILED
//	                   SuspendJob|   |FormGeneration
//	                             v   |
//	                           RECOVERING               CancelJob from every state that has not ended: CANCELLED
//
// A generation that parks makes no step: its members store the state, and with the checkpoint's commit the job is
// PENDING, RECOVERING or PAUSED, as the generation says. PauseJob and ResumeJob say whether anybody may work on it.
//
// A generation's life: FORMING (FormGeneration; its number is the raft index) -> RUNNING (StartGeneration, once
// every member has reported where it stands) -> replaced by the next one, or ended with the job.
//
// Invariants, checked by State.check in tests:
//
//  1. A worker is a member of at most one job that has not ended.
//  2. The members of a generation own all segments 0 ... M-1, contiguous, in ring order, none twice.
//  3. Generation numbers of a job grow.
//  4. A command that names another generation than the current one changes nothing.
//  5. Event sequence numbers have no gap from the oldest kept to the newest; none that is not acknowledged is dropped.
package job
