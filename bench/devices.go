package bench

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"lab/bench/input"
	"lab/bench/testbed"
)

// A Device is a network device of the testbed, with its counters.
type Device = testbed.Device

// Bridge is the name of the testbed's bridge.
const Bridge = testbed.Bridge

// Devices reads the counters of the testbed's network devices.
func (t *T) Devices() ([]Device, error) {
	d, err := testbed.Devices()
	if err != nil {
		return nil, Blamed(BlameMachine, err)
	}
	return d, nil
}

// ProcessorTime is for how long all of the machine's processors together have been busy
// since boot, with whatever program: the first line of /proc/stat without idle, iowait and
// steal (proc(5)). The kernel counts it in ticks of 10 ms.
func (t *T) ProcessorTime() (time.Duration, error) {
	b, err := input.Kernel("/proc/stat")
	if err != nil {
		return 0, Blamed(BlameMachine, err)
	}
	return busyTime(b)
}

func busyTime(stat []byte) (time.Duration, error) {
	first, _, _ := strings.Cut(string(stat), "\n")
	words := strings.Fields(first)
	if len(words) < 8 || words[0] != "cpu" {
		return 0, Blamed(BlameMachine, fmt.Errorf("/proc/stat begins with %q, and not with the processors' times", first))
	}
	var ticks int64
	for _, i := range []int{1, 2, 3, 6, 7} { // user (guests among it), nice, system, irq, softirq
		n, err := strconv.ParseInt(words[i], 10, 64)
		if err != nil {
			return 0, Blamed(BlameMachine, fmt.Errorf("/proc/stat: %w", err))
		}
		ticks += n
	}
	return time.Duration(ticks) * Tick, nil
}

// Tick is the unit of the kernel's times of processors (USER_HZ).
const Tick = time.Second / 100

// HostAddr is the address by which the cell's instances reach programs of the
// testbed that listen on its loopback device.
func (t *T) HostAddr() string {
	if o, ok := t.plan.Env.(Outsider); ok {
		if a := o.HostAddr(t.Spec(Command{})); a != "" {
			return a
		}
	}
	return "127.0.0.1"
}

// AskNeighbours sets how often the testbed asks on its bridge who has an address that
// didn't answer; 0 is the kernel's own second. The bridge is the run's.
func (t *T) AskNeighbours(every time.Duration) error {
	return Blamed(BlameMachine, testbed.AskNeighbours(every))
}

// NetworkFacts is what of the machine's settings bears on its network.
func (t *T) NetworkFacts() map[string]string { return testbed.NetworkFacts() }

// Found notes in the manifest what a trial found its cell to be. A trial that
// finds something else says so beside what was there.
func (t *T) Found(facts map[string]string) {
	// A new map each time: the manifest may be being written.
	all := maps.Clone(t.plan.Cell.Found)
	if all == nil {
		all = map[string]string{}
	}
	for k, v := range facts {
		if was, ok := all[k]; ok && was != v {
			v = was + "; later " + v
		}
		all[k] = v
	}
	t.plan.Cell.Found = all
}
