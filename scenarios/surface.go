package scenarios

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"time"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/probe/line"
	"lab/bench/results"
	"lab/bench/trace"
)

// Surface asks how much of the host's kernel a workload reaches: how many system
// calls of the host's the same work comes to, and how many different ones.
func Surface() *bench.Scenario {
	return &bench.Scenario{
		Name:     "surface",
		Alone:    "a trial counts what the kernel does, and would count the other one's as well",
		Workload: image.ProbePath,
		Question: "How many of the host's system calls does the same work come to?",
		Method: "A trial starts one instance of the lab's probe, the same bytes everywhere, which does a fixed amount of work: 1,000 system calls that do nothing, 100 files opened, read and closed, 1 MiB written to a file in blocks of 4 KiB, and an fsync, " +
			"16 MiB of new memory touched, 20 programs started and waited for, and a second of doing nothing. " +
			"Before each part the probe waits while the host's kernel is told to count what the instance's processes do, and after it the count ends: " +
			"the trace points raw_syscalls:sys_enter and kvm:kvm_exit, for each thread of the processes that do the work (a guest's QEMU; user-mode Linux's kernel and its processes), and for all that they start. " +
			"The program itself isn't slowed down by ptrace; nothing is timed. What a part's beginning and end take by themselves, a few calls, is in it. " +
			"A system call that somebody answers before it reaches the host's kernel isn't one of the host's. " +
			"An engine's daemon and its shim aren't counted. Files are in the work folder; a guest's on a disk (virtio).",
		Cells:    surfaceCells,
		Fits:     surfaceFits,
		Trial:    surfaceTrial,
		Metrics:  surfaceMetrics(),
		Figures:  surfaceFigures,
		Findings: surfaceFindings,
	}
}

// Counts hardly vary: a few trials tell.
var surfaceCounts = bench.Counts{Full: bench.Count{Trials: 10, Warmup: 1}, Quick: bench.Count{Trials: 6},
	Slow: bench.Count{Trials: 10, Warmup: 1}, SlowQuick: bench.Count{Trials: 6}}

func surfaceCells(o bench.Options) []bench.Cell {
	var cells []bench.Cell
	for _, e := range o.Chosen() {
		c := surfaceCounts.Row(e, o)
		c.Init, c.CPUs, c.Work, c.Disk = e.Guest, min(2, runtime.NumCPU()), true, 8<<20
		c.Makes = []string{bench.TwoClocks} // the count begins while the program waits
		c.Expect = 1500 * time.Millisecond
		if e.Has("disk", "virtio") {
			c.Default, c.Disk = map[string]string{"disk": "virtio", "disk-size": "64M"}, 64<<20
		}
		cells = append(cells, c)
	}
	return cells
}

// surfaceFits says whether this machine's kernel counts.
func surfaceFits(bench.Cell) error {
	if err := trace.Check(); err != nil {
		return bench.Unavailable("the kernel doesn't count system calls for the lab: "+err.Error(),
			"outside of a container, as root, with a kernel that has CONFIG_FTRACE_SYSCALLS and CONFIG_PERF_EVENTS (distributions' have)")
	}
	return nil
}

// counted counts, around each of the probe's sections, what the processes of its
// instance ask the host's kernel for.
type counted struct {
	watch func(pids []int) (*trace.Watch, error)
	now   *trace.Watch
}

// hear begins or ends a count. count is nil but at a section's end.
func (c *counted) hear(i bench.Instance, h bench.Heard) (count *trace.Count, err error) {
	switch h.Kind {
	case line.Begin:
		m, ok := i.(bench.Meter)
		if !ok {
			return nil, bench.NotApplicable("its processes aren't known", "")
		}
		cost, err := m.Meter()
		if err != nil {
			return nil, err
		}
		var pids []int
		for _, p := range cost.Processes {
			pids = append(pids, p.PID)
		}
		c.now, err = c.watch(pids)
		return nil, err
	case line.End:
		n := c.now.Stop()
		return &n, nil
	}
	return nil, nil
}

func surfaceTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	place, err := t.Place(ctx)
	if err != nil {
		return err
	}
	kinds := map[int]int64{}
	causes := map[trace.Cause]int64{}
	var exits, lost int64
	watch := counted{watch: trace.New}
	err = t.Probe(ctx, []string{"surface", "dir=" + place}, func(i bench.Instance, h bench.Heard) error {
		n, err := watch.hear(i, h)
		if n == nil || err != nil {
			return err
		}
		units, err := h.Value("value")
		if err != nil {
			return err
		}
		t.Record(h.Name, float64(n.Calls)/units)
		lost += n.Lost
		if h.Name != "idle" { // what a guest does by itself is no work
			for call, n := range n.Kinds {
				kinds[call] += n
			}
			exits += n.Exits
			for why, n := range n.Causes {
				causes[why] += n
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if lost > 0 {
		t.RecordText("kinds", fmt.Sprintf("%d events were lost", lost))
		return nil
	}
	t.Record("kinds", float64(len(kinds)))
	if exits > 0 {
		t.Record("exits", float64(exits))
		for why := range surfaceExits {
			t.Record("exits-"+string(why), float64(causes[why]))
		}
	}
	return nil
}

// surfaceExits are the reasons for which a guest leaves its processor.
var surfaceExits = map[trace.Cause]string{
	trace.ByIO:        "it spoke to a device, by a port or by a device's memory",
	trace.ByMemory:    "it touched memory that the host hadn't given it yet; on AMD also a device's",
	trace.ByHalt:      "it had nothing to do",
	trace.ByInterrupt: "an interrupt came, or it dealt with one",
	trace.ByOther:     "anything else: a register that is watched, what processor it is on, a call to the hypervisor",
}

func surfaceMetrics() []results.Metric {
	out := []results.Metric{
		{Name: "kinds", Title: "Different system calls of the host", Unit: "1", Better: "lower",
			Help: "How many different system calls of the host's kernel were asked for while the instance worked: at least so much of it is reached by this work. What could be reached is more."},
	}
	for _, x := range [][3]string{
		{"getpid", "for a system call", "for each of 1,000 system calls that do nothing (getppid)"},
		{"file", "for a file read", "for each of 100 files that are opened, read and closed: three calls of the program's"},
		{"write", "for a MiB written", "for 256 writes of 4 KiB and an fsync"},
		{"fault", "for a MiB touched", "for each MiB of new memory that is touched"},
		{"exec", "for a program started", "for each of 20 programs that are started and waited for"},
		{"idle", "in an idle second", "in a second in which the program does nothing"},
		{"nothing", "for a conversation", "for the beginning and the end of a part, which is in each of the others"},
	} {
		out = append(out, results.Metric{Name: x[0], Title: "Host's system calls " + x[1], Unit: "1", Better: "lower", Help: "System calls that reach the host's kernel, " + x[2] + "."})
	}
	out = append(out, results.Metric{Name: "exits", Title: "Exits of the guest", Unit: "1", Better: "lower",
		Help: "How often the guest left its processor for the host's kernel during all of the work, the idle second left out. Under KVM alone."})
	for _, why := range slices.Sorted(maps.Keys(surfaceExits)) {
		out = append(out, results.Metric{Name: "exits-" + string(why), Title: "Exits: " + string(why), Unit: "1", Better: "lower",
			Help: "Of these, because " + surfaceExits[why] + "."})
	}
	return out
}

var surfaceFigures = []results.Figure{
	{Name: "calls", Title: "What reaches the host's kernel, for the same work", Kind: "panels",
		Metrics: []string{"kinds", "getpid", "file", "write", "fault", "exec", "idle"},
		Caption: "System calls of the host. Where the workload's own kernel answers, none arrives; what arrives instead is what that kernel asks for."},
	{Name: "exits", Title: "Why a guest leaves its processor", Kind: "panels",
		Metrics: []string{"exits", "exits-io", "exits-memory", "exits-halt", "exits-interrupt", "exits-other"},
		Caption: "Exits counted by KVM during the same work."},
}

// surfaceFindings are of mechanism: what arrives at the host's kernel, and what
// another kernel answers.
var surfaceFindings = []results.Finding{
	{Name: "container-direct", Claim: 3, Statement: "A container's system calls are the host's: as many arrive as of a plain process.",
		Metric: "file", Of: "container", To: "host", Compare: "ratio", Op: "within", Threshold: near,
		Reason: "a program that runs directly on the host asks its kernel for everything; a twentieth is the program's own runtime"},
	{Name: "container-kinds", Claim: 19, Statement: "The same work reaches as many different system calls from a container as from a plain process.",
		Metric: "kinds", Of: "container", To: "host", Compare: "ratio", Op: "above", Threshold: 0.9,
		Reason: "a filter takes away what this work doesn't use; a tenth is the program's own runtime"},
	{Name: "vm-own", Claim: 19, Statement: "A virtual machine's system calls don't reach the host's kernel.",
		Metric: "getpid", Of: "vm", To: "host", Compare: "ratio", Op: "below", Threshold: 0.1,
		Reason: "its own kernel answers; a tenth is what QEMU does meanwhile for reasons of its own"},
	{Name: "vm-files", Claim: 19, Statement: "Files that a virtual machine reads from its own page cache are no work for the host's kernel.",
		Metric: "file", Of: "vm", To: "host", Compare: "ratio", Op: "below", Threshold: 0.1,
		Reason: "its own kernel answers; a tenth is what QEMU does meanwhile for reasons of its own, which is more the longer it takes", NeedsKVM: true},
}
