package flagenv

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// HalfOfMemory is half of the memory that this process may have: the machine's, or less if a control group says so. 0: it is
// not known.
func HalfOfMemory() Size { return Memory() / 2 }

// Memory is the memory that this process may have. 0: it is not known.
func Memory() Size { return memoryLimit(os.DirFS("/")) }

// LimitHeap has the garbage collector keep this process below nine tenths of its memory, unless GOMEMLIMIT says where: by itself
// it would let the heap grow to twice of what is in use, records included.
func LimitHeap() {
	if m := Memory(); m > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(m) / 10 * 9)
	}
}

// memoryLimit reads what Linux says: the machine's memory, and the limits of the control groups that this process is in, of
// both versions.
func memoryLimit(root fs.FS) Size {
	least := totalMemory(root)
	consider := func(name string) {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return
		}
		v, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // "max" is no limit
		if err == nil && v > 0 && (least == 0 || Size(v) < least) {
			least = Size(v)
		}
	}
	consider("sys/fs/cgroup/memory/memory.limit_in_bytes")
	for dir := controlGroup(root); ; dir = path.Dir(dir) {
		consider(path.Join("sys/fs/cgroup", dir, "memory.max"))
		if dir == "/" {
			return least
		}
	}
}

// totalMemory is that of the machine.
func totalMemory(root fs.FS) Size {
	f, err := root.Open("proc/meminfo")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kilobytes int64
		if n, _ := fmt.Sscanf(lines.Text(), "MemTotal: %d kB", &kilobytes); n == 1 {
			return Size(kilobytes) << 10
		}
	}
	return 0
}

// controlGroup is the group of version 2 that this process is in.
func controlGroup(root fs.FS) string {
	text, _ := fs.ReadFile(root, "proc/self/cgroup") // elsewhere there is none
	for line := range strings.Lines(string(text)) {
		if group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::/"); ok {
			return path.Clean("/" + group)
		}
	}
	return "/"
}
