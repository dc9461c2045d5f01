package scenarios

import "lab/bench/results"

// little is what "a little" means of a cost: a tenth at the most.
const little = 0.1

var (
	onHost   = map[string]string{"net": "host"}
	onBridge = map[string]string{"net": "bridge", "from": "host"}
	onTwin   = map[string]string{"net": "bridge", "from": "twin"}
)

// networkFindings take apart what people say about containers' networks:
// "near native", "a bridge costs a little", "use host networking for what
// depends on the network", "each has its own interface". Each speaks of
// throughput, of latency and of connections, which need not agree.
var networkFindings = []results.Finding{
	{
		Name: "container-host-stream", Claim: 6,
		Statement: "With host networking a container's throughput is as on the host.",
		Metric:    "stream", Of: "container", OfVariant: onHost, To: "host", ToVariant: onHost, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; its bytes take the same way through the same kernel",
	},
	{
		Name: "container-host-latency", Claim: 6,
		Statement: "With host networking a byte takes as long as on the host.",
		Metric:    "latency p50", Of: "container", OfVariant: onHost, To: "host", ToVariant: onHost, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; only the filter of system calls is added",
	},
	{
		Name: "container-host-connect", Claim: 6,
		Statement: "With host networking connections are made as fast as on the host.",
		Metric:    "connect", Of: "container", OfVariant: onHost, To: "host", ToVariant: onHost, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth",
	},
	{
		Name: "bridge-stream", Claim: 6,
		Statement: "A bridge costs a container a little throughput.",
		Metric:    "stream", Of: "container", OfVariant: onBridge, To: "host", ToVariant: onHost, Compare: "ratio", Op: "above", Threshold: 1 - little,
		Reason: "“a little” is a tenth at the most; compared with loopback between two host processes",
	},
	{
		Name: "bridge-latency", Claim: 6,
		Statement: "A bridge makes a byte's way a little longer.",
		Metric:    "latency p50", Of: "container", OfVariant: onBridge, To: "host", ToVariant: onHost, Compare: "ratio", Op: "below", Threshold: 1 + little,
		Reason: "“a little” is a tenth at the most; compared with loopback between two host processes",
	},
	{
		Name: "bridge-connect", Claim: 6,
		Statement: "A bridge costs a container few connections.",
		Metric:    "connect", Of: "container", OfVariant: onBridge, To: "host", ToVariant: onHost, Compare: "ratio", Op: "above", Threshold: 1 - little,
		Reason: "“few” is a tenth at the most; compared with loopback between two host processes",
	},
	{
		Name: "container-stream", Claim: 5,
		Statement: "On the same bridge a container's throughput is a plain process's.",
		Metric:    "stream", Of: "container", OfVariant: onBridge, To: "host", ToVariant: onBridge, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; what the bridge costs is left out, and the rest of the container remains",
	},
	{
		Name: "container-latency", Claim: 5,
		Statement: "On the same bridge a byte takes as long to a container as to a plain process.",
		Metric:    "latency p50", Of: "container", OfVariant: onBridge, To: "host", ToVariant: onBridge, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; what the bridge costs is left out, and the rest of the container remains",
	},
	{
		Name: "container-connect", Claim: 5,
		Statement: "On the same bridge connections to a container are made as fast as to a plain process.",
		Metric:    "connect", Of: "container", OfVariant: onBridge, To: "host", ToVariant: onBridge, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; what the bridge costs is left out, and the rest of the container remains",
	},
	{
		Name: "vm-stream", Claim: 5,
		Statement: "On the same bridge a virtual machine's throughput is a plain process's.",
		Metric:    "stream", Of: "vm", OfVariant: onBridge, To: "host", ToVariant: onBridge, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; a guest's packets pass a second kernel and a device that is a program", NeedsKVM: true,
	},
	{
		Name: "vm-latency", Claim: 5,
		Statement: "On the same bridge a byte takes as long to a virtual machine as to a plain process.",
		Metric:    "latency p50", Of: "vm", OfVariant: onBridge, To: "host", ToVariant: onBridge, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; each packet leaves the guest and interrupts it", NeedsKVM: true,
	},
	{
		Name: "twins-stream", Claim: 6,
		Statement: "Two containers on a bridge talk as fast as two processes over loopback.",
		Metric:    "stream", Of: "container", OfVariant: onTwin, To: "host", ToVariant: onHost, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“as fast” is less than a twentieth",
	},
	{
		Name: "own-port", Claim: 28,
		Statement: "A container on a bridge has its own interface.",
		Metric:    "port", Of: "container", OfVariant: onBridge, Compare: "value", Op: "above", Threshold: 0.99,
		Reason: "all but the neighbours' talk must have passed its own port, by the device's counters",
	},
	{
		Name: "no-port", Claim: 28,
		Statement: "A container with host networking has its own interface.",
		Metric:    "port", Of: "container", OfVariant: onHost, Compare: "value", Op: "above", Threshold: 0.99,
		Reason: "all but the neighbours' talk must have passed its own port, by the device's counters",
	},
}
