// Package telemetry is what a process tells those who run it: metrics for Prometheus, profiles, and traces over OTLP.
// Nothing of it is global: a process of several coordinators and workers has a Source for each.
package telemetry
