package scenarios

import "lab/bench/results"

// startupFindings are what people say about starting, taken apart into
// statements that one metric can answer. Thresholds are written down here,
// before any result.
var startupFindings = []results.Finding{
	{
		Name: "container-seconds", Claim: 1,
		Statement: "Starting a container takes a second or two.",
		Metric:    "ready", Of: "container", Compare: "value", Op: "above", Threshold: 1,
		Reason: "“a second or two” is one second at the least; the container is measured without an engine and its client",
	},
	{
		Name: "vm-near-container", Claim: 1,
		Statement: "No virtual machine comes near a container's start.",
		Metric:    "ready", Of: "vm", To: "container", Compare: "ratio", Op: "above", Threshold: 2,
		Reason:   "what takes less than twice as long would be called near",
		NeedsKVM: true,
	},
	{
		Name: "vm-own-kernel", Claim: 2,
		Statement: "A virtual machine is slow to start because it boots its own kernel.",
		Metric:    "ready", Of: "vm", OfExcept: map[string]string{"start": "restored"}, Compare: "share", Part: "kernel", Op: "above", Threshold: 0.5,
		Reason:   "the reason is what takes more than half of the time; emulation can't tell, as it slows the guest's kernel and not what starts it",
		NeedsKVM: true,
	},
	{
		Name:      "vm-restored",
		Statement: "A virtual machine that was saved starts in a third of the time.",
		Metric:    "ready", Of: "vm", OfVariant: map[string]string{"start": "restored"},
		To: "vm", ToVariant: map[string]string{"start": "cold"}, Compare: "ratio", Op: "below", Threshold: 1. / 3,
		Reason:   "to be worth a file as large as the guest's memory it has to save most of the time",
		NeedsKVM: true,
	},
	{
		Name: "chroot-part", Claim: 15,
		Statement: "Of what makes a container, the changed root folder costs next to nothing.",
		Metric:    "ready", Of: "chroot", To: "host", Compare: "difference", Op: "below", Threshold: 0.0001,
		Reason: "a tenth of a millisecond is less than a plain process takes to start",
	},
	{
		Name: "kernel-part", Claim: 15,
		Statement: "Namespaces, mounts and cgroups are made within a hundredth of a second.",
		Metric:    "ready", Of: "container", To: "chroot", Compare: "difference", Op: "below", Threshold: 0.01,
		Reason: "where this holds, “a second or two” is owed to the engine on top: image store, network, client",
	},
	{
		Name: "container-gone", Claim: 26,
		Statement: "Containers stop quickly.",
		Metric:    "gone", Of: "container", Compare: "value", Op: "below", Threshold: 0.1,
		Reason: "a tenth of a second is what people take for immediate; the start is part of it, and the workload ends by itself",
	},
}
