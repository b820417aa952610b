//go:build !race

package main

// raced tells that the race detector is on, which takes time, and several times the memory.
const raced = false
