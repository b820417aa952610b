//go:build amd64 && !noasm

package kernel

// plain runs f without vector code.
func plain(f func()) {
	defer func(v bool) { useAVX2 = v }(useAVX2)
	useAVX2 = false
	f()
}
