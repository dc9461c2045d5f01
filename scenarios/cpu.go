package scenarios

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/probe/line"
	"lab/bench/results"
)

// CPU asks what a program loses once it runs: by computing, and by what it asks
// of its kernel. The same program does each for a fixed time, in turn, in every
// environment.
func CPU() *bench.Scenario {
	return &bench.Scenario{
		Name:     "cpu",
		Workload: image.ProbePath,
		Question: "What does isolation cost programs that compute and ask the kernel?",
		Method: "A trial starts one instance of the lab's probe, the same bytes everywhere, which does ten things in turn, " +
			"each for a fixed time, which is longer in a guest, whose words take longer to arrive: it computes (integers, a system of linear equations), works on memory (in order, at random), and " +
			"asks its kernel (system call, page fault, switch between two processes, start of a program, timer, waking a process on another CPU). " +
			"What each takes is the program's own figure, the middle one of some dozens of batches; the host stamps the beginning and the end of each on its own clock, " +
			"and where the two lengths differ by more than 1 % the trial is marked (two-clocks). A guest has as many CPUs as it takes for waking, two. " +
			ownGroupText +
			"The program is compiled by Go, which doesn't use a processor's vector units: its operations and bytes a second are no machine's, " +
			"the ratios between environments are sound.",
		Layout:   true,
		Cells:    cpuCells,
		Trial:    cpuTrial,
		Metrics:  cpuMetrics,
		Figures:  cpuFigures,
		Findings: cpuFindings(),
	}
}

// cpuLength is the time for each of the ten things: a hundred times what the
// lines around it may be late by. A guest's clock is off by a millisecond or two
// while its kernel looks for a better one, right after the boot.
func cpuLength(guest, quick bool) time.Duration {
	switch {
	case guest && !quick:
		return 400 * time.Millisecond
	case guest || !quick:
		return 250 * time.Millisecond
	}
	return 120 * time.Millisecond
}

// cpuMemory is a guest's RAM: the longest chain's and the arrays', and as much
// again.
const cpuMemory = "256M"

// cpuCounts are the usual ones, with a warm-up under --quick as well.
var cpuCounts = bench.Counts{Full: bench.Count{Trials: 20, Warmup: 1}, Quick: bench.Count{Trials: 6, Warmup: 1},
	Slow: bench.Count{Trials: 20, Warmup: 1}, SlowQuick: bench.Count{Trials: 3, Warmup: 1}}

func cpuCells(o bench.Options) []bench.Cell { return probeCells(o, len(cpuMetrics)) }

// probeCells are a row of each environment, whose program does so many things.
func probeCells(o bench.Options, things int) []bench.Cell {
	var cells []bench.Cell
	for _, e := range o.Chosen() {
		c := cpuCounts.Row(e, o)
		c.Init, c.CPUs, c.Grouped, c.Long = e.Guest, min(2, runtime.NumCPU()), ownGroup(e, o), besideGuest(e, o)
		// Its memory is filled beside, and how many rounds fill the time found out.
		c.Expect = time.Duration(things)*cpuLength(c.Long, o.Quick) + 250*time.Millisecond
		if e.Guest {
			c.Expect += 2 * time.Second
			c.Default = map[string]string{"memory": cpuMemory}
		}
		cells = append(cells, c)
	}
	return cells
}

func cpuTrial(ctx context.Context, t *bench.T, c bench.Cell) error { return cpuSome(ctx, t, c) }

// probeTrial is a trial of the things that have the metrics' names.
func probeTrial(of []results.Metric) func(context.Context, *bench.T, bench.Cell) error {
	var names []string
	for _, m := range of {
		names = append(names, m.Name)
	}
	return func(ctx context.Context, t *bench.T, c bench.Cell) error { return cpuSome(ctx, t, c, names...) }
}

// cpuSome is a trial of some of the things, or all ten.
func cpuSome(ctx context.Context, t *bench.T, c bench.Cell, only ...string) error {
	args := []string{"cpu", "ms=" + strconv.FormatInt(cpuLength(c.Guest || c.Long, c.Quick).Milliseconds(), 10), "only=" + strings.Join(only, ",")}
	return t.Probe(ctx, args, func(_ bench.Instance, h bench.Heard) error {
		switch h.Kind {
		case line.End:
			v, err := h.Value("value")
			if err != nil {
				return err
			}
			// A timer that fires early would be a broken clock.
			if v <= 0 {
				return bench.Blamed(bench.BlameMachine, fmt.Errorf("probe: %s took %v", h.Name, v))
			}
			t.Record(h.Name, v)
		case line.Samples:
			return t.RecordTail(h.Name, h)
		case line.Fact:
			if why := h.Text("skip"); why != "" {
				t.RecordText(h.Name, "not applicable: "+why)
			}
		}
		return nil
	})
}

var cpuMetrics = []results.Metric{
	{Name: "integer", Title: "Integers", Unit: "1/s", Better: "higher",
		Help: "Rounds a second of a generator of seven dependent shifts, exclusive ors and a multiplication: nothing but registers."},
	{Name: "float", Title: "Floating point", Unit: "1/s", Better: "higher",
		Help: "Operations a second while systems of 100 linear equations are solved (LINPACK's problem of order 100, LU with partial pivoting). Go uses no vector unit: the machine can do more."},
	{Name: "triad", Title: "Memory in order", Unit: "B/s", Better: "higher",
		Help: "Bytes a second of a = b + s·c over three arrays of 16 MiB (STREAM's triad, by its count). Go uses no vector unit, and a large cache may hold the arrays: no figure of the machine's memory."},
	{Name: "chase", Title: "Memory at random", Unit: "s", Better: "lower",
		Help: "Time of one step along a chain through 128 MiB that visits each cache line in an order that can't be foreseen."},
	{Name: "syscall", Title: "System call", Unit: "s", Better: "lower",
		Help: "Time of getppid(2), the shortest system call there is. A seccomp filter looks at each."},
	{Name: "fault", Title: "Page fault", Unit: "s", Better: "lower",
		Help: "Time to touch a fresh page of 4 KiB, and to give it back; no huge pages. A guest's kernel gives pages that the host has given it before: what the host takes to find one isn't in it."},
	{Name: "switch", Title: "Context switch", Unit: "s", Better: "lower",
		Help: "Half of the time in which a byte goes through a pipe to another process on the same CPU and another comes back."},
	{Name: "exec", Title: "Start of a program", Unit: "s", Better: "lower",
		Help: "Time from a process's clone to the moment at which its end is known: clone, execve of a program of less than 200 bytes, exit, wait."},
	{Name: "timer", Title: "Lateness of a timer", Unit: "s", Better: "lower",
		Help: "Time by which a sleep of 0.1 ms is late, the median of all sleeps of a trial; samples/ has all of them."},
	{Name: "ipi", Title: "Waking another CPU", Unit: "s", Better: "lower",
		Help: "Half of the time in which a byte goes to a process on another CPU, which sleeps, and another comes back: the kernel wakes it by an interrupt from CPU to CPU, or by a write to memory where an idle CPU waits for one. Needs two CPUs."},
}

var cpuFigures = []results.Figure{
	{Name: "ratios", Title: "How many times as long it takes as on the host", Kind: "ratios",
		Metrics: []string{"integer", "float", "triad", "chase", "syscall", "fault", "switch", "exec", "timer", "ipi"},
		Caption: "From what the processor does by itself (top) to what the kernel has to do (bottom). A diamond is the ratio of medians, its bar the 95 % interval; on the line at 1 it costs nothing."},
}

// near is what "near native" means in every scenario: the whole interval of the
// ratio within 1 ± 0.05.
const near = 0.05

// ofContainer is a claim's number where a finding is about a container, as the claim is,
// and 0 for a guest: what a guest loses doesn't decide what is said of containers.
func ofContainer(env string, claim int) int {
	if env == "container" {
		return claim
	}
	return 0
}

// cpuFindings take "next to no performance is lost" apart: a statement for each
// thing that a program does, the same for a container, which that is said of, and
// for a guest.
func cpuFindings() []results.Finding {
	says := map[string]string{
		"integer": "Computing with integers is as fast %s as on the host.",
		"float":   "Computing with floating point is as fast %s as on the host.",
		"triad":   "Memory in order is as fast %s as on the host.",
		"chase":   "Memory at random is as fast %s as on the host.",
		"syscall": "System calls are as fast %s as on the host.",
		"fault":   "Page faults are as fast %s as on the host.",
		"switch":  "Processes are switched as fast %s as on the host.",
		"exec":    "Programs are started as fast %s as on the host.",
		"ipi":     "Processes are woken on another CPU as fast %s as on the host.",
	}
	why := map[string]string{
		"container": "“near native” is less than a twentieth; a container's instructions are the host's own, but its kernel filters system calls",
		"vm":        "“near native” is less than a twentieth; a guest's instructions are the processor's own under KVM, but pages have two tables, and interrupts leave the guest",
	}
	var out []results.Finding
	for _, m := range cpuMetrics {
		text, ok := says[m.Name]
		if !ok {
			continue
		}
		for _, env := range []string{"container", "vm"} {
			// A guest's kernel does system calls and switches by itself; of
			// what may need the host, each is judged.
			if env == "vm" && slices.Contains([]string{"syscall", "switch", "triad"}, m.Name) || env == "container" && m.Name == "ipi" {
				continue
			}
			where := map[string]string{"container": "in a container", "vm": "in a virtual machine"}[env]
			out = append(out, results.Finding{
				Name: env + "-" + m.Name, Claim: ofContainer(env, 5), Statement: fmt.Sprintf(text, where),
				Metric: m.Name, Of: env, To: "host", Compare: "ratio", Op: "within", Threshold: near,
				Reason: why[env], NeedsKVM: env == "vm",
			})
		}
	}
	// What is said of virtual machines the other way round.
	for _, x := range []struct {
		metric, says string
		claim        int
		op           string
		threshold    float64
	}{
		{"integer", "Computing in a virtual machine takes a quarter longer than on the host.", 18, "below", 1 / 1.25}, // a rate
		{"exec", "Starting programs in a virtual machine takes a quarter longer than on the host.", 18, "above", 1.25},
		{"chase", "Memory at random takes a quarter longer in a virtual machine than on the host.", 40, "above", 1.25},
		{"fault", "Page faults take a quarter longer in a virtual machine than on the host.", 40, "above", 1.25},
	} {
		out = append(out, results.Finding{Name: "vm-much-" + x.metric, Claim: x.claim, Statement: x.says,
			Metric: x.metric, Of: "vm", To: "host", Compare: "ratio", Op: x.op, Threshold: x.threshold,
			Reason: "a quarter is the least that anybody would call large, or much faster", NeedsKVM: true})
	}
	return out
}
