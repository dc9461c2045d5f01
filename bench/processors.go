package bench

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
	"lab/bench/input"
)

// Processors are those that the lab may run on (sched_getaffinity(2)), from the lowest on.
func Processors() (may []int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	for n := range len(set) * 64 {
		if set.IsSet(n) {
			may = append(may, n)
		}
	}
	return may, nil
}

// Siblings are the threads of a processor's core, itself among them
// (Documentation/admin-guide/cputopology.rst); nil if the kernel doesn't say.
func Siblings(cpu int) []int {
	b, err := input.Kernel(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu))
	if err != nil {
		return nil
	}
	return cgroup.CPUs(strings.TrimSpace(string(b)))
}

// OtherCore is the first of two processors or more that isn't a thread of the first one's
// core, or the second, with same set, if all are. siblings is [Siblings], but in tests.
func OtherCore(may []int, siblings func(cpu int) []int) (other int, same bool) {
	core := siblings(may[0])
	for _, n := range may[1:] {
		if !slices.Contains(core, n) {
			return n, false
		}
	}
	return may[1], true
}
