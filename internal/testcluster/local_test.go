package testcluster

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

// Workers on one machine exchange gradients through memory that both have mapped.
func TestWorkersOnOneMachineShareMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is shared on Linux")
	}
	c := Start(t, Options{Coordinators: 1, Workers: 2})
	id := c.Submit(digits(t, "spec.parallelism.workers", "{min: 2, max: 2}", "spec.training.epochs", "10000"))
	c.WaitStep(id, 1)
	for _, p := range c.Workers() {
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(maps), "memfd:lockstep-ring"); n != 2 {
			t.Errorf("%s has mapped %d regions, want one to its successor and one from its predecessor", p.Name, n)
		}
	}
}
