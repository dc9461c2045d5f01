// Package scenarios is the questions that the lab answers, one file each, and
// the one list of them.
//
// A scenario knows no environment: what differs between these is data (their
// settings) or an optional interface of package bench.
package scenarios

import (
	"slices"

	"lab/bench"
)

// List is the one list of scenarios, in the order in which they are explained.
var List = []func() *bench.Scenario{
	Startup,
	CPU,
	Memory,
	Disk,
	Network,
	Command,
	Limits,
	Anatomy,
	Density,
	Isolation,
	Neighbours,
	Functions,
	Restore,
	HPCC,
	Surface,
	Paravirt,
	Storage,
	App,
	Provisioning,
	Syscalls,
	Queue,
}

// All makes each scenario of the list.
func All() []*bench.Scenario {
	var out []*bench.Scenario
	for _, s := range List {
		out = append(out, s())
	}
	return out
}

// ownGroup says whether a cell of something that runs for a while wants each
// instance in a cgroup of its own (Cell.Grouped). A container has one. The
// processes of the other environments' trials would share what one container has
// for itself as soon as something else runs on the machine: containers then
// looked twice as fast as plain processes at talking over the network, and fifty
// times as fast at starting programs. A guest's processes are QEMU's.
func ownGroup(e bench.About, o bench.Options) bool { return !e.Guest && o.Fixed()["cgroup"] != "no" }

// besideGuest says whether a cell's parts are as long as a guest's (Cell.Long): it is one,
// or in a run of pairs it may be measured at the same time as one.
func besideGuest(e bench.About, o bench.Options) bool {
	return e.Guest || o.Paired && slices.ContainsFunc(o.Chosen(), func(a bench.About) bool { return a.Guest })
}

// ownGroupText says the same of a scenario's method.
const ownGroupText = "Each process on the host has its own cgroup, so that what else runs on the machine takes as much from one environment as from another; QEMU is in the lab's. "

// Find returns a scenario by its name, a calibration's part included, or nil.
func Find(name string) *bench.Scenario {
	for _, s := range slices.Concat(All(), Calibration(), InPairs(), []*bench.Scenario{Disturbed()}) {
		if s.Name == name {
			return s
		}
	}
	return nil
}
