//go:build amd64 && !noasm

package kernel

import "golang.org/x/sys/cpu"

// useAVX2 tells whether the assembly can run here.
var useAVX2 = cpu.X86.HasAVX2 && cpu.X86.HasFMA

// useAVX512 tells whether the assembly with 512 bits can run here. It matters only where useAVX2 is set.
var useAVX512 = cpu.X86.HasAVX512F && cpu.X86.HasBMI2
