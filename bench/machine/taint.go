package machine

import "time"

// The names of taints: what disturbed the machine during a trial. A tainted
// trial is kept, and counted in the report; none is thrown away.
const (
	Steal     = "steal"      // the hypervisor kept more than 2 % of the processors' time
	Pressure  = "pressure"   // some task waited for a processor a fifth of the time, for 0.2 ms at least
	Load      = "load"       // where the kernel counts no pressure: other tasks ran on all processors as the trial began
	Memory    = "memory"     // some task waited for memory 2 % of the time, for 0.2 ms at least
	Swap      = "swap"       // a page went to swap, or came back from it
	ClockStep = "clock-step" // someone set the wall clock
	Suspend   = "suspend"    // the machine slept
	Throttled = "throttled"  // the CPU quota of a cgroup that the lab stands in was used up
	Limit     = "limit"      // a limit of such a cgroup was reached, of memory or of processes
)

// Explained says what happened during a trial that bears a taint, for people.
var Explained = []struct{ Name, Means string }{
	{Steal, "the hypervisor kept more than 2 % of the processors' time from this machine, which is itself a virtual one"},
	{Pressure, "some task waited for a processor a fifth of the time, and 0.2 ms at least: something else was computing"},
	{Memory, "some task waited for memory 2 % of the time, and 0.2 ms at least: pages had to be dropped, or read again"},
	{Load, "other tasks ran on all processors as it began (said where the kernel counts no pressure)"},
	{Swap, "a page went to swap, or came back from it"},
	{ClockStep, "someone set the wall clock"},
	{Suspend, "the machine slept"},
	{Throttled, "the lab's own cgroup, or one above it, has a CPU quota, and it was used up: everything in it stood still for a while"},
	{Limit, "the lab's own cgroup, or one above it, reached its limit of memory or of processes"},
}

// Thresholds. Those of time are shares of the trial's length, so that they mean
// the same for a container's 2 ms and a guest's 4 s. Counters have grains: one
// tick of steal is 10 ms, and taints a short trial, as it should: it is then
// unknown how much of the trial it was.
const (
	stealShareMost = 0.02

	// Measured on two processors: a small program's start makes no pressure by
	// itself, and one competitor that never sleeps makes half of the time.
	pressureMost  = 0.2
	pressureLeast = 200 * time.Microsecond

	// Memory that is short shows as tasks that wait for others' pages to be
	// dropped, or for their own to be read again. A machine that has enough of it
	// has next to none: measured, 0.13 s in 3.5 hours of builds and tests.
	stallMost  = 0.02
	stallLeast = 200 * time.Microsecond

	// Being steered to the right time (adjtimex(2), at most 500 ppm) is no step.
	clockStepLeast = time.Millisecond
	clockSteer     = 0.0005

	suspendLeast = time.Millisecond
)

// Taints names what disturbed a machine of so many processors between two
// samples, in the order of the list above; empty when nothing did.
func Taints(before, after Sample, cpus int) []string {
	elapsed := after.At.Sub(before.At)
	waited, stalled := after.Pressure-before.Pressure, after.Stall-before.Stall
	step := (after.Wall - before.Wall).Abs()
	list := []string{}
	for _, x := range []struct {
		name string
		is   bool
	}{
		{Steal, share(after.Steal-before.Steal, elapsed*time.Duration(cpus)) > stealShareMost},
		{Pressure, waited > pressureLeast && share(waited, elapsed) > pressureMost},
		{Memory, stalled > stallLeast && share(stalled, elapsed) > stallMost},
		{Load, before.Running-1 >= cpus}, // a moment's count, and Go's own threads are in it: the second best
		{Swap, after.Swaps != before.Swaps},
		{ClockStep, step > clockStepLeast+time.Duration(clockSteer*float64(elapsed))},
		{Suspend, after.Asleep-before.Asleep > suspendLeast},
		{Throttled, after.Throttled != before.Throttled},
		{Limit, after.Limited != before.Limited},
	} {
		if x.is {
			list = append(list, x.name)
		}
	}
	return list
}

func share(part, whole time.Duration) float64 {
	if whole <= 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
