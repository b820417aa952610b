// Package console is how the command line looks: tables and machine-readable formats for data on standard output, a
// progress bar or plain lines for what goes on, on standard error. It knows nothing of jobs or clusters.
package console
