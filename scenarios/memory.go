package scenarios

import (
	"fmt"
	"time"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/results"
)

// Memory asks what one more instance costs beside what its workload asked for.
// The views (the cgroup's account, the processes' share, what the machine has
// left, what a guest sees) overlap: each is reported by itself, and none is
// added to another.
func Memory() *bench.Scenario {
	return &bench.Scenario{
		Name:     "memory",
		Alone:    "what two instances share is counted as half of each one's, so that each would look smaller than it is",
		Workload: image.ProbePath,
		Question: "How much memory does an instance take beyond its workload?",
		Method: "A trial starts instances of the lab's probe, the same bytes everywhere, each of which takes a known amount of anonymous memory " +
			"and as much of a file that it writes and maps. Every page is written to, no two are alike. When all hold what they asked for, " +
			"the host looks: at the account of each one's cgroup (anonymous, file, kernel), at the proportional share (PSS) of its processes on the host, " +
			"which for a guest is QEMU's with the guest's RAM apart, and at what the machine has left. What the program's own kernel sees, it says itself. " +
			"A trial in which one doesn't hold what it asked for, by 2 % or more, fails. That tasks wait for a processor meanwhile is the instances' own doing, and marks no trial. " +
			"The answer is the slope: what one more costs, by a line through the medians for 1, 2, 4, … at a time; as many as may take a third of the machine's memory, and no more than half of what it has available. " +
			"Each instance is limited to what it asks for and a quarter more, or 64 MiB; a guest has that and what its kernel needs as RAM.",
		Cells:    memoryCells,
		Fits:     memoryFits,
		Trial:    memoryTrial,
		Metrics:  memoryMetrics,
		Figures:  memoryFigures,
		Findings: memoryFindings,
	}
}

// What an instance holds, of each kind.
const (
	memoryHeld      = 256 << 20
	memoryHeldQuick = 64 << 20
)

func memorySize(quick bool) int64 {
	if quick {
		return memoryHeldQuick
	}
	return memoryHeld
}

// memoryLimit leaves the program room for itself: an instance that swaps or
// reclaims holds less than it should.
func memoryLimit(held int64) int64 { return 2*held + max(held/2, 64<<20) }

var memoryCounts = bench.Counts{Full: bench.Count{Trials: 10, Warmup: 1}, Quick: bench.Count{Trials: 6, Warmup: 1},
	Slow: bench.Count{Trials: 6, Warmup: 1}, SlowQuick: bench.Count{Trials: 2}}

func memoryCells(o bench.Options) []bench.Cell {
	var cells []bench.Cell
	all, _, _, _ := bench.MemoryRoom() // an error is memoryFits' to tell
	held := memorySize(o.Quick)
	for _, e := range o.Chosen() {
		for _, n := range memoryInstances(e.Guest, o.Quick, all) {
			c := memoryCounts.Row(e, o)
			c.N, c.Memory, c.Init, c.Work = n, memoryLimit(held), e.Guest, !e.Guest
			// The instances fill their memory at the same time, and the
			// kernel writes their files meanwhile; no figure is a time.
			c.Makes = []string{"pressure", "load"}
			// Writing a page takes a microsecond or two; a guest's twice that.
			c.Expect = time.Duration(n) * time.Duration(held>>20) * time.Millisecond / 2
			if e.Guest {
				c.Expect *= 2
			} else {
				c.Disk = int64(n) * held
			}
			cells = append(cells, c)
		}
	}
	return cells
}

// memoryInstances are the numbers of instances at a time on a machine that has
// so many bytes of memory: 1, 2, 4, … while they take no more than a third of
// it, and two at least, without which there is no slope. It is the machine's
// whole memory that decides, so that a second run has the same rows as the first.
func memoryInstances(guest, quick bool, all int64) []int {
	// Beyond these a line is known well, and a trial takes a minute. Guests are
	// fewer, as an emulated one takes seconds to start.
	most := 64
	switch {
	case quick && guest:
		most = 2
	case quick:
		most = 4
	case guest:
		most = 16
	}
	out := []int{1, 2}
	for n := 4; n <= most && memoryNeeds(bench.Cell{Guest: guest, N: n, Quick: quick}) <= all/3; n *= 2 {
		out = append(out, n)
	}
	return out
}

// guestRoom is what a guest needs beside its limit: its RAM is larger by what
// its kernel takes, and QEMU has memory of its own, most of it under emulation.
const guestRoom = 256 << 20

// memoryNeeds is the most that a cell's instances can take.
func memoryNeeds(c bench.Cell) int64 {
	each := memoryLimit(memorySize(c.Quick))
	if c.Guest {
		each += guestRoom
	}
	return int64(c.N) * each
}

// memoryFits keeps to half of what is available: a machine that begins to swap,
// or to throw file pages away, measures that.
func memoryFits(c bench.Cell) error {
	return bench.MemoryFits(memoryNeeds(c), fmt.Sprintf("%d at a time may take", c.N), "end other programs, or --quick, which takes less")
}

// recordViews records all views, per instance, while all of them hold.
func recordViews(t *bench.T, c bench.Cell, all []*holder, held int64, before map[string]int64) error {
	after, err := bench.HostMemory()
	if err != nil {
		return err
	}
	n := float64(len(all))
	asked := float64(2 * held)
	sum := map[string]float64{}
	for i, h := range all {
		m, ok := h.i.(bench.Meter)
		if !ok {
			return bench.NotApplicable(c.Env+" can't tell what it costs", "")
		}
		cost, err := m.Meter()
		if err != nil {
			return err
		}
		if err := holds(i, h, cost, c.Guest, held); err != nil {
			return err
		}
		pss, ram := cost.PSS()
		sum["pss"] += float64(pss)
		if c.Guest {
			sum["guest-ram"] += float64(ram)
			sum["qemu"] += float64(pss - ram)
			sum["guest-anon"] += h.says["grown.AnonPages"]
			sum["guest-file"] += h.says["grown.Cached"]
		}
		if g := cost.Group; g != nil {
			sum["group-anon"] += float64(g.Anon)
			sum["group-file"] += float64(g.File)
			sum["group-kernel"] += float64(g.Kernel)
		}
	}
	t.Record("asked", asked)
	t.Record("all-over", sum["pss"]-n*asked)
	t.Record("over", sum["pss"]/n-asked)
	for _, m := range memoryMetrics {
		if v, ok := sum[m.Name]; ok {
			t.Record(m.Name, v/n)
		}
	}
	went := float64(before["MemAvailable"] - after["MemAvailable"])
	t.Record("available", went/n)
	t.Record("all-available", went)
	if m, ok := t.Environment().(bench.Meter); ok {
		cost, err := m.Meter()
		if err != nil {
			return err
		}
		pss, _ := cost.PSS()
		t.Record("daemon", float64(pss))
	}
	return nil
}

// memoryApart is by how much what an instance holds may be less than what it asked
// for, as a share. More it may be by its own program's pages.
const memoryApart = 0.02

// holds says whether an instance holds what it asked for, by whoever counts it:
// its own kernel in a guest, the cgroup elsewhere, or, without one, its processes.
func holds(i int, h *holder, cost bench.Cost, inGuest bool, held int64) error {
	pss, _ := cost.PSS()
	views := []view{{"its processes on the host", pss, 2 * held}}
	switch {
	case inGuest:
		views = []view{{"the guest's AnonPages", int64(h.says["grown.AnonPages"]), held}, {"the guest's Cached", int64(h.says["grown.Cached"]), held}}
	case cost.Group != nil:
		views = append(views, view{"its cgroup's anonymous memory", cost.Group.Anon, held}, view{"its cgroup's file memory", cost.Group.File, held})
	}
	for _, v := range views {
		if float64(v.has) < (1-memoryApart)*float64(v.asked) {
			return bench.Blamed(bench.BlameMachine, fmt.Errorf(
				"instance %d doesn't hold what it asked for: by %s %d KiB of %d; the machine took it back, or another program holds it; fix: end what else wants memory here, or --quick",
				i+1, v.who, v.has>>10, v.asked>>10))
		}
	}
	return nil
}

// A view is what somebody counts of what an instance holds.
type view struct {
	who        string
	has, asked int64
}

var memoryMetrics = []results.Metric{
	{Name: "over", Title: "Memory beyond what was asked for", Unit: "B", Better: "lower",
		Help: "PSS of an instance's processes on the host, less what its workload asked for: the program itself; for a guest also its kernel, its file tree and QEMU."},
	{Name: "all-over", Title: "Memory of all instances beyond what they asked for", Unit: "B", Better: "lower",
		Help: "The same, of all instances together."},
	{Name: "pss", Title: "Processes on the host", Unit: "B", Better: "lower",
		Help: "Proportional set size of an instance's processes: shared pages are divided among those who share them."},
	{Name: "asked", Title: "What was asked for", Unit: "B",
		Help: "What the workload of an instance takes: half of it anonymous memory, half of it a file that it maps."},
	{Name: "group-anon", Title: "Its cgroup: anonymous", Unit: "B", Help: "What the instance's cgroup is charged for as anonymous memory."},
	{Name: "group-file", Title: "Its cgroup: file", Unit: "B", Help: "What the instance's cgroup is charged for as the page cache of files."},
	{Name: "group-kernel", Title: "Its cgroup: kernel", Unit: "B", Help: "What the instance's cgroup is charged for as the kernel's own memory: page tables, stacks, slabs."},
	{Name: "available", Title: "Available memory that went", Unit: "B", Help: "By how much MemAvailable of the machine fell, for each instance. Clean pages of files count as available; what else the machine does is in it."},
	{Name: "all-available", Title: "Available memory that went with all instances", Unit: "B", Better: "lower",
		Help: "The same, with all instances together: what their programs hold, and what the kernel keeps for them and their isolation."},
	{Name: "guest-ram", Title: "QEMU: guest RAM", Unit: "B", Help: "PSS of the guest's RAM in QEMU: pages that the guest has touched."},
	{Name: "qemu", Title: "QEMU: the rest", Unit: "B", Help: "PSS of QEMU without the guest's RAM; under emulation also the translated code."},
	{Name: "guest-anon", Title: "In the guest: anonymous", Unit: "B", Help: "By how much AnonPages grew in the guest while the workload took its memory, by the guest's own /proc/meminfo."},
	{Name: "guest-file", Title: "In the guest: file", Unit: "B", Help: "By how much Cached grew in the guest meanwhile."},
	{Name: "daemon", Title: "shared daemons", Unit: "B", Help: "PSS of the daemons that all instances of the run share: libvirt's, or an engine's with the shims of its containers."},
}

var memoryFigures = []results.Figure{
	{Name: "slope", Title: "What each further instance costs beyond what its workload asked for", Kind: "slopes",
		Metrics: []string{"all-over"},
		Caption: "Every point is one trial: the share (PSS) of the processes of all instances on the host, less what their workloads asked for. The steeper the line, the more one more instance costs."},
	{Name: "machine", Title: "What each further instance takes of the machine's available memory", Kind: "slopes",
		Metrics: []string{"all-available"},
		Caption: "Every point is one trial: by how much MemAvailable fell. What the workload asked for is in it, but for a file's pages, which stay available; so is what the kernel keeps for an instance, and whatever else the machine did meanwhile."},
	{Name: "over", Title: "Memory of an instance beyond what its workload asked for", Kind: "distribution",
		Metrics: []string{"over"},
		Caption: "Every point is one trial: the share (PSS) of its processes on the host, for each instance, less what the workload asked for."},
}

var memoryFindings = []results.Finding{
	{Name: "container-processes", Claim: 4, Statement: "A container's processes take only as much memory as without a container.",
		Metric: "all-over", Of: "container", To: "host", Compare: "slope", Op: "below", Threshold: 1 << 20,
		Reason: "a MiB per additional instance is too little to notice compared with a process"},
	{Name: "container-needs", Claim: 4, Statement: "A container takes only as much of the machine's memory as the process needs.",
		Metric: "all-available", Of: "container", To: "host", Compare: "slope", Op: "below", Threshold: 1 << 20,
		Reason: "a MiB per additional instance is too little to notice compared with a process"},
	{Name: "vm-needs", Statement: "A virtual machine takes only as much memory as the process needs.",
		Metric: "all-over", Of: "vm", To: "host", Compare: "slope", Op: "below", Threshold: 32 << 20,
		Reason: "a small kernel, its file tree and QEMU itself are some tens of MiB", NeedsKVM: true},
}
