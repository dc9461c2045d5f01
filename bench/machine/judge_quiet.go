package machine

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"lab/bench/cgroup"
)

// Whether the machine is quiet enough to measure on. None of this blocks: a
// trial that was really disturbed is tainted (see Taints).

func (s seen) checkSwap() Check {
	used := s.facts.Swap - s.swapFree
	c := Check{Name: "swap", Result: OK, Why: "memory that comes back from disk is a thousand times slower"}
	switch {
	case s.facts.Swap == 0:
		c.Detail = "none"
	case used > 0:
		c.Result, c.Detail, c.Cure = Warn, size(used)+" of "+size(s.facts.Swap)+" used", "while measuring: swapoff -a, and afterwards: swapon -a"
	default:
		c.Detail = size(s.facts.Swap) + ", unused"
	}
	return c
}

// Rules of thumb, for a hint before measuring. What counts are the taints.
const (
	busyLoad     = 0.5  // runnable tasks for each processor, mean of a minute
	busyPressure = 0.1  // share of time in which some task waited
	muchSteal    = 0.02 // share of time that the hypervisor kept
)

func (s seen) checkLoad() Check {
	c := Check{Name: "load", Result: OK, Why: "other programs take time from what is measured, and unevenly"}
	per := s.facts.Load / float64(max(s.facts.CPUs, 1))
	c.Detail = fmt.Sprintf("%.2f in the last minute on %d processors", s.facts.Load, s.facts.CPUs)
	if s.pressure >= 0 {
		c.Detail += fmt.Sprintf("; tasks waited %.0f %% of the last 10 s", 100*s.pressure)
	} else {
		c.Detail += "; the kernel doesn't count pressure (boot with psi=1)"
	}
	if per > busyLoad || s.pressure > busyPressure {
		c.Result, c.Cure = Warn, "end other programs: top; or wait until they are done"
	}
	return c
}

func (s seen) checkSteal() Check {
	c := Check{Name: "steal", Result: OK, Detail: fmt.Sprintf("%.1f %% since the start", 100*s.steal), Why: "time that the hypervisor gave to other guests looks like slowness of what runs here"}
	if s.steal > muchSteal {
		c.Result, c.Cure = Warn, "measure at a quieter time, or on a dedicated machine"
	}
	return c
}

func (s seen) checkGovernor() Check {
	c := Check{Name: "governor", Result: OK, Detail: s.facts.Governor, Why: "a processor that idles slows its clock, and what comes next starts slowly"}
	switch s.facts.Governor {
	case "":
		c.Detail = "the clock isn't ours to set"
	case "performance":
	default:
		c.Result, c.Cure = Warn, "while measuring: cpupower frequency-set -g performance, and afterwards: cpupower frequency-set -g "+s.facts.Governor
	}
	return c
}

// What binds the lab itself, and with it all that it measures.

// Processes that a run needs: Go's threads, libvirt's daemon with some twenty, QEMU.
const (
	fewPids    = 64
	enoughPids = 256
)

func (s seen) checkLimits() Check {
	c := Check{Name: "limits", Result: OK, Detail: "none around the lab", Why: "the lab's own cgroup, and all above it, bind every environment alike: figures are of what they leave"}
	bounds := s.layout.Bounds()
	if len(bounds) == 0 {
		return c
	}
	var details []string
	for _, b := range bounds {
		details = append(details, b.What+" "+b.Text+" ("+b.Dir+")")
	}
	c.Result, c.Detail = Warn, strings.Join(details, "; ")
	c.Cure = "start the lab from a shell outside of " + filepath.Base(bounds[0].Dir) + ": cat /proc/$$/cgroup shows where one stands"
	left, by, ok := s.layout.Left("pids")
	switch {
	case ok && left < enoughPids:
		c.Detail = fmt.Sprintf("%d more processes may be started (%s); ", left, by.Dir) + c.Detail
		if left < fewPids {
			c.Result = Fail
		}
	case !slices.ContainsFunc(bounds, func(b cgroup.Bound) bool { return b.What != "pids" }):
		c.Result, c.Cure = OK, "" // systemd limits them everywhere, and more generously than anything here needs
	}
	return c
}

func (s seen) checkInherited() Check {
	c := Check{Name: "inherited", Result: OK, Detail: "as usual", Why: "what the lab gets from whoever starts it (nice, limits of ulimit, processors of taskset) it hands on to all that it measures"}
	if len(s.facts.Inherited) == 0 {
		return c
	}
	var details []string
	for _, name := range slices.Sorted(maps.Keys(s.facts.Inherited)) {
		details = append(details, name+" "+s.facts.Inherited[name])
	}
	c.Result, c.Detail, c.Cure = Warn, strings.Join(details, ", "), "start the lab from a fresh shell, without nice, taskset, setarch or ulimit"
	return c
}
