package machine

import "fmt"

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
