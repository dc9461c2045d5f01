package scenarios

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/probe/line"
	"lab/bench/results"
)

// Limits asks whether an instance gets what its limit allows, and no more. The
// same program wants too much everywhere: of the processor, of memory, of
// processes.
func Limits() *bench.Scenario {
	return &bench.Scenario{
		Name:     "limits",
		Alone:    "a trial fills the machine up to a limit, and the other one would be in its way",
		Workload: image.ProbePath,
		Question: "Does an instance get what its limit allows, and what happens then?",
		Method: "A trial starts one instance of the lab's probe, the same bytes everywhere, under one limit, and the program wants more than that. " +
			"limit=cpu-25 to cpu-150: two threads compute without end under a quota of 25 to 150 % of one processor; what counts is the processor time that they got, over whole periods of the quota. " +
			"limit=memory-below and memory-past: the program takes memory, a MiB at a time, half of its limit of 128 MiB or twice as much. " +
			"memory-files: it writes a file of one and a half times its limit, whose pages the kernel can take back once they are on the disk. " +
			"memory-swap, in a guest alone: twice its limit again, but the guest has a swap file as large; no swap is ever switched on on the host. " +
			"limit=writes: it writes to the disk past the page cache, and may write 16 MiB a second; a guest's limit is its disk's, which QEMU keeps. " +
			"limit=processes: a fork bomb, in which each process starts others, under a limit of 256. " +
			"The limit is a control group's: in a guest its own kernel's, elsewhere the host's, also for a plain process, which then has a group and nothing else of a container. " +
			"But for memory-swap nothing is swapped: a limit of memory allows no swap. Each program stops by itself somewhat beyond its limit, so that a limit that isn't kept harms nothing.",
		Cells:    limitsCells,
		Fits:     limitsFits,
		Trial:    limitsTrial,
		Metrics:  limitsMetrics,
		Figures:  limitsFigures,
		Findings: limitsFindings(),
	}
}

// The limits themselves, and what the program wants.
const (
	limitsMemory    = 128 << 20
	limitsProcesses = 256 // few beside any machine's, many beside the program's own threads
	limitsWrites    = 16 << 20
)

// limitsWay is one limit: how a cell has it, and what the program does. A first
// look at slow environments has those that are marked.
type limitsWay struct {
	name   string
	cell   bench.Cell
	args   []string
	asked  float64 // the limit, or less where the program wants less: processors, bytes, processes
	killed bool    // the named outcome is that the kernel kills it
	first  bool
	inside bool // in guests alone
}

var limitsWays = []limitsWay{
	{name: "cpu-25", cell: bench.Cell{CPU: 0.25}, asked: 0.25},
	{name: "cpu-50", cell: bench.Cell{CPU: 0.5}, asked: 0.5, first: true},
	{name: "cpu-100", cell: bench.Cell{CPU: 1}, asked: 1},
	{name: "cpu-150", cell: bench.Cell{CPU: 1.5}, asked: 1.5},
	{name: "memory-below", cell: bench.Cell{Memory: limitsMemory}, asked: limitsMemory / 2,
		args: []string{"grow", fmt.Sprint("to=", limitsMemory/2)}},
	{name: "memory-past", cell: bench.Cell{Memory: limitsMemory}, asked: limitsMemory, killed: true, first: true,
		args: []string{"grow", fmt.Sprint("to=", 2*limitsMemory)}},
	{name: "memory-files", cell: bench.Cell{Memory: limitsMemory, Work: true, Disk: limitsMemory * 3 / 2}, asked: limitsMemory * 3 / 2,
		args: []string{"grow", fmt.Sprint("to=", limitsMemory*3/2)}},
	{name: "memory-swap", cell: bench.Cell{Memory: limitsMemory, Work: true, Disk: 2 * limitsMemory}, asked: 2 * limitsMemory, first: true, inside: true,
		args: []string{"grow", fmt.Sprint("to=", 2*limitsMemory)}},
	{name: "writes", cell: bench.Cell{Work: true, Disk: 8 << 20}, asked: limitsWrites, args: []string{"writes"}},
	{name: "processes", cell: bench.Cell{Pids: limitsProcesses}, asked: limitsProcesses, first: true,
		args: []string{"bomb", fmt.Sprint("most=", 2*limitsProcesses)}},
}

// limitsLength is for how long a program computes: some periods of a quota, each
// a tenth of a second.
func limitsLength(quick bool) time.Duration {
	if quick {
		return 500 * time.Millisecond
	}
	return time.Second
}

func limitsCells(o bench.Options) []bench.Cell {
	var cells []bench.Cell
	for _, e := range o.Chosen() {
		for _, w := range limitsWays {
			if o.Quick && e.Slow && !w.first || w.inside && !e.Has("disk", "virtio") {
				continue
			}
			c := bench.Usual.Row(e, o)
			c.Variant = map[string]string{"limit": w.name}
			c.CPU, c.Memory, c.Pids, c.Work, c.Disk = w.cell.CPU, w.cell.Memory, w.cell.Pids, w.cell.Work, w.cell.Disk
			if c.Work && e.Has("disk", "virtio") {
				c.Default, c.Disk = map[string]string{"disk": "virtio", "disk-size": fmt.Sprint(c.Disk + 64<<20)}, c.Disk+64<<20
			}
			c.Init, c.CPUs = e.Guest, 2
			// Wanting more than there is keeps the machine busy, and is held back.
			c.Makes = []string{"pressure", "load"}
			c.Expect = 100 * time.Millisecond
			if w.args == nil || c.Work {
				c.Expect += limitsLength(o.Quick)
			}
			if e.Guest {
				c.Expect += time.Second
			}
			cells = append(cells, c)
		}
	}
	return cells
}

// limitsFits wants the room for what a limit that isn't kept would let happen.
func limitsFits(c bench.Cell) error {
	if c.CPU > float64(runtime.NumCPU()) {
		return bench.Unavailable(fmt.Sprintf("a quota of %g processors limits nothing on %d", c.CPU, runtime.NumCPU()), "use a machine with two processors")
	}
	return bench.MemoryFits(2*c.Memory+guestRoom, "the program wants", "end other programs")
}

func limitsTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	var way limitsWay
	for _, w := range limitsWays {
		if w.name == c.Variant["limit"] {
			way = w
		}
	}
	length := "ms=" + strconv.FormatInt(limitsLength(c.Quick).Milliseconds(), 10)
	args := slices.Clone(way.args)
	if args == nil {
		args = []string{"spin", length}
	}
	s := t.Spec(bench.Command{})
	if c.Work {
		place, err := t.Place(ctx)
		if err != nil {
			return err
		}
		switch way.name {
		case "memory-files":
			args = append(args, "files="+place)
		case "memory-swap":
			args = append(args, "swap="+place)
		case "writes":
			args = append(args, "dir="+place, length)
			if s.Limits.IO.Device, err = t.HomeDisk(); err != nil {
				return bench.NotApplicable("the work folder isn't on a disk whose writes can be limited", "--work with a folder on one")
			}
			s.Limits.IO.WriteBytes = limitsWrites
		}
	}
	p, err := bench.NewProbe()
	if err != nil {
		return err
	}
	defer p.Close()
	s.Command = p.Command(args...)
	// How far the program came, and when it began and ended.
	var got float64
	var began, ended clock.Time
	var busy [2]time.Duration // all processors, at the beginning and at the end
	refused := false
	i, talk := t.Hear(ctx, p, s, func(_ bench.Instance, h bench.Heard) (err error) {
		t.Check(h)
		switch h.Kind {
		case line.Begin:
			began = h.At
			busy[0], err = t.ProcessorTime()
			return err
		case line.Fact:
			got, _ = h.Float("held")
		case line.End:
			ended = h.At
			if busy[1], err = t.ProcessorTime(); err != nil {
				return err
			}
			if n, ok := h.Float("refused"); ok {
				refused = n > 0
				took, err := h.Value("took")
				if err != nil {
					return err
				}
				t.Record("time", took)
			}
			if pause, ok := h.Float("pause"); ok && pause > 0 {
				t.Record("pause", pause)
			}
			got, err = h.Value("value")
		}
		return err
	})
	if talk != nil && !(i != nil && way.killed && errors.Is(talk, clock.ErrClosed)) {
		return bench.Explain(i, talk)
	}
	exit, err := i.Wait(ctx)
	if err != nil {
		return err
	}
	if exit.Status() != 0 && !exit.OOM {
		return bench.Blamed(bench.BlameWorkload, fmt.Errorf("probe: %s ended with %v", way.name, exit))
	}
	if exit.OOM {
		ended = exit.At
	}
	t.Record("got", got/way.asked)
	// Pressure is what such a trial makes by itself. What others computed meanwhile isn't.
	if way.cell.CPU > 0 && !c.Guest && got < quotaKept*way.asked && tookFrom(busy[1]-busy[0], ended.Sub(began), got) {
		t.Taint("pressure")
	}
	if way.killed || way.inside {
		t.RecordSince("time", began, ended)
	}
	if way.args != nil && way.name != "writes" {
		t.Record("outcome", share(exit.OOM == way.killed && refused == (c.Pids > 0)))
	}
	return t.Close(i)
}

// quotaKept is the part of a quota that a program has to get.
const quotaKept = 0.97

// tookFrom is whether others than a program that got so many processors for that long had
// a part of one that matters.
func tookFrom(busy, long time.Duration, got float64) bool {
	return busy.Seconds()-got*long.Seconds() > 0.15*long.Seconds()
}

// share is 1 for yes, and 0 for no.
func share(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

var limitsMetrics = []results.Metric{
	{Name: "got", Title: "Got, as a multiple of the limit", Unit: "1",
		Help: "Processor time, memory, written bytes a second or processes that the program got, divided by its limit (memory-below, memory-files, memory-swap: by what it wanted): 1 is exactly that. " +
			"The program's own threads, and memory of its own and the kernel's, count towards a limit and aren't in it: a few percent."},
	{Name: "outcome", Title: "Ended as it should", Unit: "1", Better: "higher", Words: []string{"no", "yes"},
		Help: "Whether the program ended in the outcome that its limit is meant to have. memory-below, memory-files, memory-swap: it got everything and wasn't killed. " +
			"memory-past: the kernel killed it for want of memory. processes: the kernel refused a further one, and the program that began was still there to say so."},
	{Name: "pause", Title: "Pause at the quota", Unit: "s", Better: "lower",
		Help: "How long the quota stops a program that has used it up, the middle one of a trial's pauses: a request that arrives then waits so long. Measured by a thread that reads the clock without end."},
	{Name: "time", Title: "Time until the limit took effect", Unit: "s", Better: "lower",
		Help: "memory-past: from the moment at which the program begins to take memory to that at which the host sees it killed. memory-swap: until it has all that it wants. processes: from the first fork until all processes were refused a further one."},
}

var limitsFigures = []results.Figure{
	{Name: "got", Title: "Asked for against got", Kind: "panels",
		Metrics: []string{"got"},
		Caption: "At 1 a program got exactly what its limit allows (memory-below, memory-files, memory-swap: all that it wanted); to the right of it, a limit isn't kept. Every point is one trial."},
	{Name: "end", Title: "What happens at the limit", Kind: "panels",
		Metrics: []string{"pause", "time"},
		Caption: "A quota of processor time makes a program pause, until its next period of a tenth of a second begins; a limit of memory ends it; a limit of processes refuses it a further one."},
}

// limitsFindings are of each environment that keeps limits, and of each limit.
func limitsFindings() []results.Finding {
	var out []results.Finding
	for _, env := range []struct{ name, where string }{{"container", "A container"}, {"vm", "A virtual machine"}} {
		for _, w := range limitsWays {
			f := results.Finding{Name: env.name + "-" + w.name, Claim: 8, Metric: "outcome", Of: env.name,
				OfVariant: map[string]string{"limit": w.name}, Compare: "value", Op: "above", Threshold: 0.5}
			switch {
			case w.cell.CPU > 0:
				// The difference from host is no measure of a quota: it is held
				// against the quota itself, from below and from above.
				at := fmt.Sprintf("a quota of %g %% of a processor", 100*w.asked)
				f.Metric, f.Reason = "got", "a quota is kept if what the program got is within 3 % of it"
				f.Name, f.Threshold = f.Name+"-least", quotaKept
				f.Statement = env.where + " gets what " + at + " allows."
				out = append(out, f)
				f.Name, f.Op, f.Threshold = env.name+"-"+w.name+"-most", "below", 1.03
				f.Statement = env.where + " gets no more than " + at + " allows."
			case w.killed:
				f.Statement, f.Reason = env.where+" that takes more memory than its limit is killed.", "one outcome in all trials: the kernel kills it for want of memory"
			case w.name == "writes":
				f.Claim = 25
				if env.name == "vm" {
					f.Claim = 0 // QEMU keeps it, and no control group
				}
				f.Metric, f.Reason, f.Name, f.Threshold = "got", "a limit on a disk is kept if what was written in a second is within a tenth of it", f.Name+"-least", 0.9
				f.Statement = env.where + " writes as much as a limit of 16 MiB a second on its disk allows."
				out = append(out, f)
				f.Name, f.Op, f.Threshold = env.name+"-"+w.name+"-most", "below", 1.1
				f.Statement = env.where + " writes no more than a limit of 16 MiB a second on its disk allows."
			case w.name == "memory-files":
				f.Statement, f.Reason = env.where+" that writes a file larger than its limit of memory is left alone.", "one outcome in all trials: the kernel takes the file's pages back, and it ended by itself"
			case w.inside:
				if env.name != "vm" {
					continue
				}
				f.Statement, f.Reason = "A virtual machine with swap lets a program take twice its limit of memory.", "one outcome in all trials: it got everything and ended by itself"
			case w.cell.Memory > 0:
				f.Statement, f.Reason = env.where+" that takes half of its limit of memory is left alone.", "one outcome in all trials: it got everything and ended by itself"
			default:
				f.Statement, f.Reason = "A fork bomb in "+map[string]string{"container": "a container", "vm": "a virtual machine"}[env.name]+" ends at the limit of processes.", "one outcome in all trials: the kernel refuses a further process, and the first one goes on"
			}
			out = append(out, f)
		}
	}
	return out
}
