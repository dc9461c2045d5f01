package bench

import (
	"lab/bench/cgroup"
	"lab/bench/testbed"
)

// LeastMemory is the smallest limit of memory in which a program starts, with
// some room: a static one took 128 KiB as a plain process and 200 in a container
// (Linux 6.18), and the kernel counts more on machines with many processors.
const LeastMemory = 1 << 20

// CheckLimits says whether the testbed's cgroups can keep the limits.
func CheckLimits(tb *testbed.Testbed, l Limits) error {
	if l.None() {
		return nil
	}
	if tb.Cgroups == nil {
		if l == (Limits{CPUWeight: cgroup.DefaultWeight}) {
			return nil // without groups nobody has another share
		}
		return Unavailable("limits need cgroups, and this machine mounts none that can be written", "mount -t cgroup2 none /sys/fs/cgroup, or run outside of a container")
	}
	if c := tb.Cgroups.Lacks(l); c != "" {
		return Unavailable("the limit needs the cgroup controller "+c+", which the lab's cgroups can't have here", tb.Cgroups.Cure(c))
	}
	return nil
}
