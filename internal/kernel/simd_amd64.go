//go:build amd64 && !noasm

package kernel

import "golang.org/x/sys/cpu"

// useAVX2 tells whether the assembly can run here.
var useAVX2 = cpu.X86.HasAVX2 && cpu.X86.HasFMA
