package machine

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"lab/bench/cgroup"
)

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
