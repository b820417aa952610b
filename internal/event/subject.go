package event

import "fmt"

// Prefix is the first part of every subject.
const Prefix = "lockstep.v1."

// Subjects that need no id.
const (
	ClusterLeader = Prefix + "cluster.leader"
	All           = Prefix + ">" // every event
)

// Kind is the last token of a job's subject.
type Kind string

// The kinds of a job's events.
const (
	State      Kind = "state"
	Progress   Kind = "progress"
	Metric     Kind = "metric"
	Checkpoint Kind = "checkpoint"
	Alert      Kind = "alert"
)

// JobSubject returns the subject of a job's events of one kind. id must be a single token: see [ValidToken].
func JobSubject(id string, kind Kind) (string, error) {
	switch kind {
	case State, Progress, Metric, Checkpoint, Alert:
		return subject("job", id, string(kind))
	}
	return "", fmt.Errorf("subject of job %q: unknown kind %q", id, kind)
}

// JobSubjects returns the pattern for all events of a job.
func JobSubjects(id string) (string, error) { return subject("job", id, ">") }

// WorkerSubject returns the subject of a worker's state.
func WorkerSubject(id string) (string, error) { return subject("worker", id, "state") }

func subject(noun, id, last string) (string, error) {
	if !ValidToken(id) {
		return "", fmt.Errorf("subject of %s %q: the id is not a single subject token", noun, id)
	}
	return Prefix + noun + "." + id + "." + last, nil
}

// ValidToken returns whether s can stand between two dots of a subject: 1 to 128 printable ASCII characters, no space and
// none of ".*>".
func ValidToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '.' || c == '*' || c == '>' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 128
}
