package bench

import (
	"fmt"
	"strings"

	"lab/bench/cgroup"
	"lab/bench/input"
)

// Siblings are the threads of a processor's core, itself among them
// (Documentation/admin-guide/cputopology.rst); nil if the kernel doesn't say.
func Siblings(cpu int) []int {
	b, err := input.Kernel(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu))
	if err != nil {
		return nil
	}
	return cgroup.CPUs(strings.TrimSpace(string(b)))
}
