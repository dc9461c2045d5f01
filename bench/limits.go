package bench

import (
	"lab/bench/cgroup"
	"lab/bench/testbed"
)

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
