package scenarios

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/results"
	"lab/bench/trace"
)

// Paravirt asks what a guest gains by knowing that it is one: in its devices, which
// are then made for being a program's (virtio) instead of a chip's that a program
// imitates; and in its kernel, which then asks another one instead of being trapped.
func Paravirt() *bench.Scenario {
	return &bench.Scenario{
		Name:     "paravirt",
		Alone:    "QEMU's own threads need processors of their own",
		Workload: image.ProbePath,
		Question: "What does a guest gain by knowing that it is one?",
		Method: "Three comparisons, each within one run. Disks: a virtual machine reads and writes a disk of virtio's, and one that QEMU imitates (IDE of 1986), " +
			"on the same machine (pc), by some parts of the disk scenario. " +
			"Network: a client on the host talks to a server in a virtual machine, whose card is virtio's, or one that QEMU imitates (an Intel card of 2002, e1000), " +
			"both with the distribution's full kernel, by the network scenario's parts. " +
			"Kernels: a plain process, a virtual machine and user-mode Linux, whose kernel asks the host's by system calls, compute and ask their kernel, by some parts of the cpu scenario. " +
			"User-mode Linux isn't Xen: it stops its processes by ptrace at each of their system calls, where Xen's guests call the hypervisor. " +
			"All virtual machines of a run have one accelerator. Under KVM the guest's exits during the small reads are counted as well, in the kernel's trace point. " +
			ownGroupText,
		Cells:    paravirtCells,
		Trial:    paravirtTrial,
		Beside:   "host",
		Metrics:  paravirtMetrics(),
		Figures:  paravirtFigures,
		Findings: paravirtFindings,
	}
}

// The rows of devices, of environments that have both kinds: with what they are
// compared comes first.
var (
	paravirtDisks = []map[string]string{{"disk": "ide", "machine": "pc"}, {"disk": "virtio", "machine": "pc"}}
	paravirtCards = []map[string]string{
		{"net": "bridge", "nic": "e1000", "from": "host", "kernel": "full"}, {"net": "bridge", "nic": "virtio", "from": "host", "kernel": "full"}}
)

// What is done of each scenario's parts.
var (
	paravirtDisk = []string{"direct-read", "direct-write", "direct-randread1", "direct-randwrite1", "fsync", "direct-randread16"}
	paravirtAsks = []string{"integer", "syscall", "fault", "switch", "exec"}
)

var paravirtCounts = bench.Counts{Full: bench.Count{Trials: 20, Warmup: 1}, Quick: bench.Count{Trials: 6},
	Slow: bench.Count{Trials: 10, Warmup: 1}, SlowQuick: bench.Count{Trials: 3}}

func paravirtCells(o bench.Options) []bench.Cell {
	var cells []bench.Cell
	for _, e := range paravirtChosen(o) {
		row := func(variant map[string]string) *bench.Cell {
			c := paravirtCounts.Row(e, o)
			c.Variant, c.Init, c.CPUs, c.Grouped = variant, e.Guest, 1, ownGroup(e, o)
			c.Default, c.Expect = maps.Clone(exactClock), time.Duration(len(paravirtAsks))*cpuLength(e.Guest, o.Quick)
			cells = append(cells, c)
			return &cells[len(cells)-1]
		}
		row(nil)
		for _, v := range paravirtDisks {
			if !e.Can(v) {
				continue
			}
			p, c := diskPlanFor(o.Quick, e.Guest), row(v)
			c.Default["disk-size"], c.Work, c.Disk = fmt.Sprint(2*p.size), true, 2*p.size
			c.Expect = time.Duration(len(paravirtDisk))*p.section + 2*time.Second
		}
		for _, v := range paravirtCards {
			needs := maps.Clone(v)
			delete(needs, "from")
			if e.Can(needs) {
				c := row(v)
				c.Expect = 4*netLength(*c) + 3*time.Second
			}
		}
	}
	return cells
}

// paravirtChosen are the environments that were asked for; else, of those that are
// measured by default, the plain process and the guests, and further guests that no
// accelerator runs: their kernel asks.
func paravirtChosen(o bench.Options) []bench.About {
	if len(o.Environments) > 0 {
		return o.Chosen()
	}
	return slices.DeleteFunc(slices.Clone(o.Known), func(e bench.About) bool {
		return !(e.Default && (e.Guest || e.HostFiles) || e.Guest && e.Extra && !e.Has("accel"))
	})
}

func paravirtTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	switch {
	case c.Variant["disk"] != "":
		return paravirtReads(ctx, t, c)
	case c.Variant["net"] != "":
		return networkTrial(ctx, t, c)
	}
	return cpuSome(ctx, t, c, paravirtAsks...)
}

// paravirtReads is a trial of a disk, with the guest's exits for each small read.
func paravirtReads(ctx context.Context, t *bench.T, c bench.Cell) error {
	watch := counted{watch: trace.NewExits}
	return diskSome(ctx, t, c, paravirtDisk, func(i bench.Instance, h bench.Heard) error {
		if h.Name != "direct-randread1" || t.Spec(bench.Command{}).Settings["accel"] == "tcg" {
			return nil
		}
		n, err := watch.hear(i, h)
		if err != nil {
			t.RecordText("exits-read", "can't be counted: "+err.Error())
			return nil
		}
		if n == nil || n.Exits == 0 {
			return nil // nothing of it ran on the processor itself
		}
		reads, err := h.Value("requests")
		if err == nil {
			t.Record("exits-read", float64(n.Exits)/reads)
		}
		return err
	})
}

// paravirtMetrics are those of the three scenarios that have a part in it.
func paravirtMetrics() []results.Metric {
	out := slices.DeleteFunc(slices.Concat(diskMetrics(), cpuMetrics), func(m results.Metric) bool {
		return !slices.Contains(slices.Concat(paravirtDisk, paravirtAsks, []string{"direct-randread16-latency"}), m.Name)
	})
	return append(slices.Concat(out, networkMetrics), results.Metric{Name: "exits-read", Title: "Exits for a small read", Unit: "1", Better: "lower",
		Help: "How often the guest leaves its processor for the host's kernel, for each direct read of 4 KiB. Under KVM alone."})
}

var paravirtFigures = []results.Figure{
	{Name: "disks", Title: "A disk that knows it is a program's, by one that is imitated", Kind: "ratios", To: "vm", ToVariant: paravirtDisks[0],
		Metrics: []string{"direct-read", "direct-write", "direct-randread1 p50", "direct-randwrite1 p50", "fsync p50", "direct-randread16", "exits-read"},
		Caption: "Each row by the imitated disk (IDE), on the same machine and accelerator; on the line at 1 virtio gains nothing."},
	{Name: "cards", Title: "A network card that knows it is a program's, by one that is imitated", Kind: "ratios", To: "vm", ToVariant: paravirtCards[0],
		Metrics: []string{"stream", "streams", "latency p50", "connect"},
		Caption: "Each row by the imitated card (e1000), with the same kernel and accelerator; on the line at 1 virtio gains nothing."},
	{Name: "kernels", Title: "A kernel that is trapped, and one that asks", Kind: "ratios",
		Metrics: paravirtAsks,
		Caption: "Each row by the plain process: computing needs no kernel, all else asks the row's own."},
}

// paravirtFindings take two sentences apart: that paravirtual devices win back what
// imitated ones lose, and that a trap costs more than a call.
var paravirtFindings = []results.Finding{
	{Name: "disk-read", Claim: 17, Statement: "A paravirtual disk answers small reads sooner than an imitated one.",
		Metric: "direct-randread1 p50", Of: "vm", OfVariant: paravirtDisks[1], To: "vm", ToVariant: paravirtDisks[0],
		Compare: "ratio", Op: "below", Threshold: 0.8, Reason: "a fifth less is more than noise; the machine and its acceleration are the same", NeedsKVM: true},
	{Name: "disk-exits", Claim: 17, Statement: "A small read from a paravirtual disk interrupts the guest less than half as often.",
		Metric: "exits-read", Of: "vm", OfVariant: paravirtDisks[1], To: "vm", ToVariant: paravirtDisks[0],
		Compare: "ratio", Op: "below", Threshold: 0.5, Reason: "an imitated controller has a register for each part of a request, virtio one bell for the whole", NeedsKVM: true},
	{Name: "card-latency", Claim: 17, Statement: "A byte comes and goes sooner by a paravirtual card than by an imitated one.",
		Metric: "latency p50", Of: "vm", OfVariant: paravirtCards[1], To: "vm", ToVariant: paravirtCards[0],
		Compare: "ratio", Op: "below", Threshold: 0.8, Reason: "a fifth less is more than noise; kernel and acceleration are the same", NeedsKVM: true},
	{Name: "card-stream", Claim: 17, Statement: "A paravirtual card carries more than an imitated one.",
		Metric: "stream", Of: "vm", OfVariant: paravirtCards[1], To: "vm", ToVariant: paravirtCards[0],
		Compare: "ratio", Op: "above", Threshold: 1.25, Reason: "a quarter more is the least that anybody would notice", NeedsKVM: true},
	{Name: "trap-computes", Claim: 39, Statement: "That a hypervisor stands between guest and processor costs programs that compute.",
		Metric: "integer", Of: "vm", To: "host", Plain: true, Compare: "ratio", Op: "below", Threshold: 1 - near,
		Reason: "“costs” is a twentieth at the least; the processor runs such instructions by itself", NeedsKVM: true},
	{Name: "trap-calls", Claim: 39, Statement: "A system call of a program in a virtual machine costs more than on the host.",
		Metric: "syscall", Of: "vm", To: "host", Plain: true, Compare: "ratio", Op: "above", Threshold: 1 + near,
		Reason: "“costs” is a twentieth at the least; the guest's kernel answers, and nobody stands between", NeedsKVM: true},
	{Name: "call-near", Claim: 39, Statement: "A guest kernel that asks by calls instead of being trapped is near native: user-mode Linux's system calls.",
		Metric: "syscall", Of: "uml", To: "host", Plain: true, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; user-mode Linux stops its processes by ptrace, which Xen doesn't"},
	{Name: "call-faults", Claim: 39, Statement: "A guest kernel that asks by calls instead of being trapped is near native: user-mode Linux's page faults.",
		Metric: "fault", Of: "uml", To: "host", Plain: true, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; for each page it asks the host's kernel to map one"},
}
