package flagenv

import (
	"math"
	"runtime/debug"
	"testing"
	"testing/fstest"
)

func TestMemoryLimit(t *testing.T) {
	files := func(pairs ...string) fstest.MapFS {
		m := fstest.MapFS{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
		}
		return m
	}
	const machine = "MemTotal:       16 kB\nMemFree:       1 kB\n"
	for name, c := range map[string]struct {
		root fstest.MapFS
		want Size
	}{
		"elsewhere":    {files(), 0},
		"machine":      {files("proc/meminfo", machine), 16 << 10},
		"container":    {files("proc/meminfo", machine, "proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "4096\n"), 4096},
		"no limit":     {files("proc/meminfo", machine, "proc/self/cgroup", "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max", "max\n"), 16 << 10},
		"group above":  {files("proc/meminfo", machine, "proc/self/cgroup", "0::/a/b\n", "sys/fs/cgroup/a/memory.max", "8192\n", "sys/fs/cgroup/a/b/memory.max", "max\n"), 8192},
		"version 1":    {files("proc/meminfo", machine, "proc/self/cgroup", "4:memory:/a\n", "sys/fs/cgroup/memory/memory.limit_in_bytes", "2048\n"), 2048},
		"more than is": {files("proc/meminfo", machine, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"), 16 << 10},
	} {
		if got := memoryLimit(c.root); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestLimitHeap(t *testing.T) {
	before := debug.SetMemoryLimit(math.MaxInt64)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "1GiB")
	LimitHeap()
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("GOMEMLIMIT is overruled: %d", got)
	}
	t.Setenv("GOMEMLIMIT", "")
	LimitHeap()
	if got, all := debug.SetMemoryLimit(-1), int64(Memory()); all > 0 && (got >= all || got < all/2) {
		t.Errorf("a limit of %d bytes of %d", got, all)
	}
}
