//go:build amd64 && !noasm

package kernel

// plain runs f without vector code.
func plain(f func()) {
	defer func(v bool) { useAVX2 = v }(useAVX2)
	useAVX2 = false
	f()
}

// eachWidth runs f with the widest vector code of this machine and, if that has 512 bits, with 256 bits.
func eachWidth(f func(width string)) {
	if useAVX512 {
		f("512 bits")
	}
	defer func(v bool) { useAVX512 = v }(useAVX512)
	useAVX512 = false
	f("256 bits")
}
