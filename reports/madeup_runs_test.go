package reports

import (
	"strings"

	"lab/bench/results"
	"lab/scenarios"
)

// made has a run of each scenario that measures more than one thing.
var made = map[string]madeUp{"cpu": madeCPU(), "memory": madeMemory(), "disk": madeDisk(), "network": madeNetwork()}

// slower says how many times worse than the host's a cell's value of a metric
// is. The first rule whose label begins the cell's, and that has the metric,
// counts.
type slower []struct {
	label string
	by    map[string]float64
}

func (s slower) of(c results.Cell, metric string) float64 {
	for _, x := range s {
		if f, ok := x.by[metric]; ok && strings.HasPrefix(c.Label(), x.label) {
			return f
		}
	}
	return 1
}

// worse applies a factor to a metric's value on the host.
func worse(metrics []results.Metric, name string, v, factor float64) float64 {
	for _, m := range metrics {
		if m.Name == name && m.Better == "higher" {
			return v / factor
		}
	}
	return v * factor
}

// madeCPU is mostly disturbed, and its guest has one processor.
func madeCPU() madeUp {
	s := scenarios.CPU()
	host := map[string]float64{"integer": 306e6, "float": 1.9e9, "triad": 9.4e9, "chase": 95e-9, "syscall": 112e-9, "fault": 0.55e-6,
		"switch": 1.4e-6, "exec": 0.31e-3, "timer": 58e-6, "ipi": 6.5e-6}
	slow := slower{
		{"container", map[string]float64{"syscall": 1.35, "fault": 1.06, "switch": 1.12, "exec": 1.3}},
		{"vm", map[string]float64{"integer": 9, "float": 26, "triad": 12, "chase": 2.5, "syscall": 8, "fault": 14, "switch": 9, "exec": 30, "timer": 6}},
	}
	oneCPU := func(c results.Cell, metric string) bool { return c.Env == "vm" && metric == "ipi" }
	return madeUp{
		scenario: s, plain: true, disturbed: 7, tails: map[string]float64{"timer": 4},
		middle: func(c results.Cell, metric string) (float64, bool) {
			v, ok := host[metric]
			return worse(s.Metrics, metric, v, slow.of(c, metric)), ok && !oneCPU(c, metric)
		},
		why: func(c results.Cell, metric string) string {
			if oneCPU(c, metric) {
				return "not applicable: there is one CPU alone"
			}
			return ""
		},
		failed: map[string]string{"container": "probe: exec took 0 (made up)"},
		notRun: map[string]results.NotRun{"chroot": {Kind: "unavailable", Reason: "the image has no /bin/probe (made up)", Cure: "make build"}},
	}
}

// madeMemory has up to 64 instances at a time.
func madeMemory() madeUp {
	s := scenarios.Memory()
	var cells []results.Cell
	for _, env := range []string{"host", "container", "vm"} {
		for n := 1; n <= 64; n *= 2 {
			c := results.Cell{Env: env, N: n, Trials: 10, Warmup: 1}
			if env == "vm" {
				c.Trials = 6
			}
			if env != "vm" || n <= 16 {
				cells = append(cells, c)
			}
		}
	}
	const mib = 1 << 20
	each := map[string]map[string]float64{ // in MiB
		"host":      {"over": 1.1, "pss": 513.1, "group-anon": 256.4, "group-file": 256, "group-kernel": 1.2, "available": 257.5},
		"container": {"over": 1.2, "pss": 513.2, "group-anon": 256.5, "group-file": 256, "group-kernel": 1.7, "available": 258.1},
		"vm": {"over": 91, "pss": 603, "group-anon": 588, "group-file": 14, "group-kernel": 2.6, "available": 595, "guest-ram": 556, "qemu": 47,
			"guest-anon": 256.5, "guest-file": 256.2, "daemon": 38},
	}
	return madeUp{
		scenario: s, cells: cells, disturbed: 1,
		middle: func(c results.Cell, metric string) (float64, bool) {
			n := float64(c.N)
			if metric == "all-over" {
				return (n*each[c.Env]["over"] + 0.6) * mib, true // what they share
			}
			if metric == "all-available" {
				return (n*each[c.Env]["available"] + 0.6) * mib, true
			}
			if metric == "asked" {
				return 512 * mib, true
			}
			v, ok := each[c.Env][metric]
			return (v + 0.6/n) * mib, ok
		},
		failed: map[string]string{"container ×64": "instance 41 doesn't hold what it asked for: by its cgroup's anonymous memory 250000 KiB of 262144 (made up)"},
		notRun: map[string]results.NotRun{"vm ×16": {Kind: "unavailable",
			Reason: "16 at a time may take 14336 MiB, and half of what this machine has available is 11000 MiB", Cure: "end other programs, or --quick, which takes less"}},
	}
}

// madeDisk has a row whose trials all fail.
func madeDisk() madeUp {
	s := scenarios.Disk()
	host := map[string]float64{"direct-read": 2.1e9, "direct-write": 1.2e9, "buffered-read": 1.6e9, "buffered-write": 0.61e9, "cached-read": 8e9,
		"direct-randread1": 88e-6, "direct-randwrite1": 61e-6, "fsync": 1.1e-3, "buffered-randread1": 95e-6, "buffered-randwrite1": 2.1e-6, "cached-randread1": 1.3e-6,
		"direct-randread16": 62e3, "direct-randread16-latency": 250e-6, "direct-randwrite16": 48e3, "direct-randwrite16-latency": 330e-6,
		"buffered-randread16": 55e3, "buffered-randread16-latency": 290e-6, "buffered-randwrite16": 940, "buffered-randwrite16-latency": 9e-6,
		"first-write": 45e-6, "second-write": 31e-6}
	slow := slower{
		{"container data=layer", map[string]float64{"direct-randwrite16": 3.2, "direct-randwrite16-latency": 3.3, "first-write": 41, "cached-randread1": 1.04}},
		{"vm cache=writeback", map[string]float64{"direct-read": 0.4, "direct-write": 0.5, "direct-randread1": 1.2, "direct-randwrite1": 1.1}},
		{"vm", map[string]float64{"direct-read": 1.7, "direct-write": 1.9, "buffered-read": 2, "buffered-write": 2.2, "cached-read": 9,
			"direct-randread1": 6, "direct-randwrite1": 7, "fsync": 1.6, "buffered-randread1": 7, "buffered-randwrite1": 14, "cached-randread1": 15,
			"direct-randread16": 8, "direct-randread16-latency": 9, "direct-randwrite16": 7, "direct-randwrite16-latency": 8,
			"buffered-randread16": 8, "buffered-randread16-latency": 9, "buffered-randwrite16": 3, "buffered-randwrite16-latency": 20, "first-write": 11, "second-write": 12}},
	}
	tails := map[string]float64{}
	for _, m := range s.Metrics {
		if m.Unit == "s" && !strings.HasSuffix(m.Name, "-write") {
			tails[m.Name] = 3.5
		}
	}
	// No O_DIRECT through one of the paths: those rows have words in place of values.
	skipped := func(c results.Cell, metric string) bool {
		return c.Env == "chroot" && strings.HasPrefix(metric, "direct-")
	}
	return madeUp{
		scenario: s, disturbed: 2, tails: tails,
		middle: func(c results.Cell, metric string) (float64, bool) {
			v, ok := host[metric]
			return worse(s.Metrics, metric, v, slow.of(c, metric)), ok && !skipped(c, metric)
		},
		why: func(c results.Cell, metric string) string {
			if skipped(c, metric) {
				return "not applicable: the file system knows no O_DIRECT (made up)"
			}
			return ""
		},
		failed: map[string]string{"container data=bind": "no place to write (made up)"},
		broken: map[string]string{"vm disk=ide machine=pc": "the clock inside moves by 4ms at once, too coarse for requests of microseconds; fix, for a guest: --variant acpi=on, which gives it better clocks, or KVM, and a quieter machine"},
	}
}

// madeNetwork lacks the kernel that an emulated card needs.
func madeNetwork() madeUp {
	s := scenarios.Network()
	host := map[string]float64{"stream": 3.1e9, "streams": 3.3e9, "latency": 4.2e-6, "connect": 38.5e3, "receive": 3.2e9, "udp": 3.9e-6, "stream-cpu": 4.1e-4, "port": 0}
	bridge := map[string]float64{"stream": 1.35, "streams": 1.3, "latency": 1.17, "connect": 1.5, "receive": 1.33, "udp": 1.16, "stream-cpu": 1.3}
	slow := slower{
		{"host from=twin", map[string]float64{"stream": 1.4, "streams": 1.36, "latency": 1.24, "connect": 1.6}},
		{"host from=host", bridge},
		{"container from=twin", map[string]float64{"stream": 1.42, "streams": 1.37, "latency": 1.27, "connect": 1.68}},
		{"container from=host", map[string]float64{"stream": 1.36, "streams": 1.31, "latency": 1.2, "connect": 1.57}},
		{"container", map[string]float64{"latency": 1.03, "connect": 1.06}},
		{"vm from=inside", map[string]float64{"stream": 90, "streams": 110, "latency": 160, "connect": 210}},
		{"vm", map[string]float64{"stream": 40, "streams": 44, "latency": 95, "connect": 120}},
	}
	full := results.NotRun{Kind: "unavailable", Reason: "the distribution's full kernel isn't there (made up)", Cure: "make full-kernel"}
	return madeUp{
		scenario: s, disturbed: 2, tails: map[string]float64{"latency": 2.4, "udp": 2.4},
		middle: func(c results.Cell, metric string) (float64, bool) {
			if metric == "port" && c.Variant["net"] == "bridge" {
				return 1, true
			}
			v, ok := host[metric]
			return worse(s.Metrics, metric, v, slow.of(c, metric)), ok
		},
		found: func(c results.Cell) map[string]string {
			path := "lo"
			if c.Variant["net"] == "bridge" {
				path = "lab0, one port"
			}
			return map[string]string{"path": path}
		},
		failed: map[string]string{"container from=twin net=bridge": "network: stream: 1000000 bytes were to pass two ports, and lab0 carried 1000000 (made up)"},
		notRun: map[string]results.NotRun{"vm from=host net=bridge nic=e1000": full, "vm from=host kernel=full net=bridge nic=virtio": full},
	}
}
