package bench

import (
	"maps"
	"time"

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
