package scenarios

import (
	"context"
	"fmt"
	"time"

	"lab/bench"
	"lab/bench/probe/line"
	"lab/bench/results"
)

// Memory asks what one more instance costs beside what its workload asked for.
// The views (the cgroup's account, the processes' share, what the machine has
// left, what a guest sees) overlap: each is reported by itself, and none is
// added to another.
func Memory() *bench.Scenario {
	return &bench.Scenario{
		Name:     "memory",
		Question: "What memory does an instance cost the host, beside what its workload asked for?",
		Method: "A trial starts instances of the lab's probe, the same bytes everywhere, each of which takes a known amount of anonymous memory " +
			"and as much of a file that it writes and maps. Every page is written to, no two are alike. When all hold what they asked for, " +
			"the host looks: at the account of each one's cgroup (anonymous, file, kernel), at the proportional share (PSS) of its processes on the host, " +
			"which for a guest is QEMU's with the guest's RAM apart, and at what the machine has left. What the program's own kernel sees, it says itself. " +
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

func memoryCells(o bench.Options) []bench.Cell {
	var cells []bench.Cell
	for _, e := range everywhere(o) {
		for _, n := range memoryInstances(e, o.Quick) {
			c := bench.Cell{Env: e, N: n, Trials: 10, Warmup: 1, Timeout: time.Minute,
				Init: guest(e), Work: !guest(e), Quick: o.Quick}
			// Writing a page takes a microsecond or less; a guest's take several.
			c.Expect = time.Duration(n) * time.Duration(memorySize(o.Quick)>>20) * 3 * time.Millisecond
			switch {
			case guest(e):
				c.Timeout = 4 * time.Minute
				if c.Trials = 6; o.Quick {
					c.Trials, c.Warmup = 2, 0
				}
			case o.Quick:
				c.Trials = 6
			}
			cells = append(cells, c)
		}
	}
	return cells
}

// memoryInstances are the numbers of instances at a time. Guests are fewer, as
// an emulated one takes seconds to start.
func memoryInstances(env string, quick bool) []int {
	switch {
	case quick:
		return []int{1, 2}
	case guest(env):
		return []int{1, 2, 4}
	}
	return []int{1, 2, 4, 8}
}

// guestRoom is what a guest needs beside its limit: its RAM is larger by what
// its kernel takes, and QEMU has memory of its own, most of it under emulation.
const guestRoom = 256 << 20

// memoryNeeds is the most that a cell's instances can take.
func memoryNeeds(c bench.Cell) int64 {
	each := memoryLimit(memorySize(c.Quick))
	if guest(c.Env) {
		each += guestRoom
	}
	return int64(c.N) * each
}

// memoryFits keeps to half of what is available: a machine that begins to swap,
// or to throw file pages away, measures that.
func memoryFits(c bench.Cell) error {
	m, err := bench.HostMemory()
	if err != nil {
		return err
	}
	if need, have := memoryNeeds(c), m["MemAvailable"]/2; need > have {
		return bench.Unavailable(fmt.Sprintf("%d at a time may take %d MiB, and half of what this machine has available is %d MiB", c.N, need>>20, have>>20),
			"end other programs, or --quick, which takes less")
	}
	return nil
}

// A holder is one instance that holds memory.
type holder struct {
	i    bench.Instance
	p    *bench.Probe
	says map[string]float64 // what its own kernel sees
	held chan struct{}      // it has all that it asked for
	done chan error
}

func memoryTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	held := memorySize(c.Quick)
	before, err := bench.HostMemory()
	if err != nil {
		return err
	}
	limit := memoryLimit(held)
	release := make(chan struct{})
	var all []*holder
	for range c.N {
		h, err := hold(ctx, t, held, limit, release)
		if err != nil {
			return err
		}
		defer h.p.Close()
		all = append(all, h)
	}
	for _, h := range all {
		select {
		case <-h.held:
		case err := <-h.done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := look(t, c, all, held, before); err != nil {
		return err
	}
	close(release)
	for _, h := range all {
		if err := <-h.done; err != nil {
			return err
		}
		if err := t.Close(h.i); err != nil {
			return err
		}
	}
	return nil
}

// hold starts one instance.
func hold(ctx context.Context, t *bench.T, held, limit int64, release chan struct{}) (*holder, error) {
	p, err := bench.NewProbe()
	if err != nil {
		return nil, err
	}
	h := &holder{p: p, says: map[string]float64{}, held: make(chan struct{}), done: make(chan error, 1)}
	spec := t.Spec(p.Command("memory", fmt.Sprint("anon=", held), fmt.Sprint("file=", held)))
	spec.Limits.Memory = limit
	if h.i, err = t.Prepare(ctx, spec); err == nil {
		if x, ok := h.i.(bench.Placer); ok && spec.Work {
			// Where it writes is known only now; the host's place isn't /tmp.
			if dir := x.Place(); dir != "/tmp" {
				if err = t.Close(h.i); err == nil {
					spec.Command.Argv = append(spec.Command.Argv, "dir="+dir)
					h.i, err = t.Prepare(ctx, spec)
				}
			}
		}
	}
	if err == nil {
		err = h.i.Start(ctx)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	p.Listen(h.i.Ready())
	go func() {
		h.done <- p.Talk(ctx, func(x bench.Heard) error {
			switch {
			case x.Kind == line.Fact:
				for _, kv := range x.Pairs {
					if v, ok := x.Float(kv.Key); ok {
						h.says[kv.Key] = v
					}
				}
			case x.Kind == line.Begin && x.Name == "hold":
				close(h.held)
				select {
				case <-release:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}()
	return h, nil
}

// look records all views, per instance, while all of them hold.
func look(t *bench.T, c bench.Cell, all []*holder, held int64, before map[string]int64) error {
	after, err := bench.HostMemory()
	if err != nil {
		return err
	}
	n := float64(len(all))
	asked := float64(2 * held)
	sum := map[string]float64{}
	for _, h := range all {
		m, ok := h.i.(bench.Meter)
		if !ok {
			return bench.NotApplicable(c.Env+" can't tell what it costs", "")
		}
		cost, err := m.Meter()
		if err != nil {
			return err
		}
		pss, ram := cost.PSS()
		sum["pss"] += float64(pss)
		if guest(c.Env) {
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
	t.Record("over", sum["pss"]/n-asked)
	for _, m := range memoryMetrics {
		if v, ok := sum[m.Name]; ok {
			t.Record(m.Name, v/n)
		}
	}
	t.Record("available", float64(before["MemAvailable"]-after["MemAvailable"])/n)
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

var memoryMetrics = []results.Metric{
	{Name: "over", Title: "Memory beside what was asked for", Unit: "B", Better: "lower",
		Help: "PSS of an instance's processes on the host, less what its workload asked for: the program itself; for a guest also its kernel, its file tree and QEMU."},
	{Name: "pss", Title: "Processes on the host", Unit: "B", Better: "lower",
		Help: "Proportional set size of an instance's processes: shared pages are divided among those who share them."},
	{Name: "group-anon", Title: "Its cgroup: anonymous", Unit: "B", Help: "What the instance's cgroup is charged for as anonymous memory."},
	{Name: "group-file", Title: "Its cgroup: file", Unit: "B", Help: "What the instance's cgroup is charged for as the page cache of files."},
	{Name: "group-kernel", Title: "Its cgroup: kernel", Unit: "B", Help: "What the instance's cgroup is charged for as the kernel's own memory: page tables, stacks, slabs."},
	{Name: "available", Title: "Available memory that went", Unit: "B", Help: "By how much MemAvailable of the machine fell, for each instance. Clean pages of files count as available; what else the machine does is in it."},
	{Name: "guest-ram", Title: "QEMU: guest RAM", Unit: "B", Help: "PSS of the guest's RAM in QEMU: pages that the guest has touched."},
	{Name: "qemu", Title: "QEMU: the rest", Unit: "B", Help: "PSS of QEMU beside the guest's RAM; under emulation also the translated code."},
	{Name: "guest-anon", Title: "In the guest: anonymous", Unit: "B", Help: "By how much AnonPages grew in the guest while the workload took its memory, by the guest's own /proc/meminfo."},
	{Name: "guest-file", Title: "In the guest: file", Unit: "B", Help: "By how much Cached grew in the guest meanwhile."},
	{Name: "daemon", Title: "libvirt's daemon", Unit: "B", Help: "PSS of the one daemon that all guests of the run share."},
}

var memoryFigures = []results.Figure{
	{Name: "over", Title: "Memory of an instance beside what its workload asked for", Kind: "distribution",
		Metrics: []string{"over"}, Log: true,
		Caption: "Every point is one trial: the share (PSS) of its processes on the host, for each instance, less what the workload asked for."},
}

var memoryFindings = []results.Finding{
	{Name: "container-needs", Claim: 4, Statement: "A container takes only as much memory as the process needs.",
		Metric: "over", Of: "container", To: "host", Compare: "difference", Op: "below", Threshold: 1 << 20,
		Reason: "a MiB is what nobody would notice beside a process"},
	{Name: "vm-needs", Claim: 4, Statement: "A virtual machine takes only as much memory as the process needs.",
		Metric: "over", Of: "vm", To: "host", Compare: "difference", Op: "below", Threshold: 32 << 20,
		Reason: "a small kernel, its file tree and QEMU itself are some tens of MiB", NeedsKVM: true},
}
