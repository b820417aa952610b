//go:build !amd64 || noasm

package kernel

// plain runs f, which has no vector code in this build.
func plain(f func()) { f() }

// eachWidth runs f once.
func eachWidth(f func(width string)) { f("plain") }
