// Package chaos disturbs the processes of a cluster for real: it kills, freezes and slows them, cuts them off, and
// damages what they have on disk, by a schedule that follows from a seed.
package chaos
