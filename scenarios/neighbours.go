package scenarios

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/probe/line"
	"lab/bench/results"
)

// Neighbours asks what a program notices of another one on the same machine. It
// follows P. Sharma et al., Containers and Virtual Machines at Scale, Middleware
// 2016: a victim alone, next to its equal, and next to those that want all of
// something.
func Neighbours() *bench.Scenario {
	return &bench.Scenario{
		Name:     "neighbours",
		Alone:    "a trial has a neighbour of its own already, whose effect is the question",
		Workload: image.ProbePath,
		Question: "How much does a neighbour slow a program down, and what helps?",
		Method: "A trial starts two instances of the same kind: a neighbour, and when that is at work, the victim. " +
			"The victim works in one thread: it first does one small computation after another (a unit, some tens of microseconds, in a table of 1 MiB), then one every two milliseconds, as a server gets requests. " +
			"beside=nobody: the victim alone. equal: the neighbour does the same units on every processor. cache: it writes to 32 MiB on every processor, over and over. " +
			"memory: it takes 512 MiB and gives it back, over and over. forks: a fork bomb of 128 processes, over and over. disk: it writes a file of 64 MiB, a MiB at a time, each with an fsync. " +
			"victim=disk writes 4 KiB at a time instead, each safe on the disk before the next, next to that same disk storm; victim=network sends a byte to a second instance of its kind and back, over the testbed's bridge, next to two others of which one sends the other all it can. " +
			"limits=none: neither has any. shares: the victim's CPU weight is 1,000 and the neighbour's 10. cpuset: each has one processor of its own, of two cores if there are two. Under both the neighbour may have 64 processes and 256 MiB. " +
			"throttle: the neighbour may write 4 MiB a second. " +
			"Each neighbour is bounded, ends with the trial and, without the lab, after a minute or so: what is compared is a neighbour that wants a lot, not a machine that is brought down. " +
			ownGroupText,
		Cells:    neighboursCells,
		Fits:     neighboursFits,
		Trial:    neighboursTrial,
		Metrics:  append(neighboursMetrics, resourceMetrics...),
		Figures:  append(neighboursFigures, resourceFigures...),
		Findings: append(neighboursFindings(), resourceFindings()...),
	}
}

// What a neighbour may take.
const (
	neighboursMemory = 512 << 20
	neighboursCache  = 32 << 20 // for each processor
	neighboursDisk   = 64 << 20
	neighboursTasks  = 256
)

// neighboursRows are the neighbours with each of the limits: where a process is
// the host's, where its kernel is a guest's or its start slow, and where nothing is
// isolated but files.
func neighboursRows(e bench.About) map[string][]string {
	switch {
	case e.Guest || e.WholeCommand:
		return map[string][]string{"none": {"nobody", "equal", "forks"}}
	case !e.HostFiles && !e.Has("net"):
		return map[string][]string{"none": {"nobody", "equal"}}
	}
	return map[string][]string{
		"none":   {"nobody", "equal", "cache", "memory", "forks", "disk"},
		"shares": {"equal", "forks"},
		"cpuset": {"equal", "forks"},
	}
}

// neighboursLength is how long each of the victim's two parts is. The second has
// a unit every 2 ms, and a 99th percentile needs a hundred.
func neighboursLength(quick bool) time.Duration {
	if quick {
		return 300 * time.Millisecond
	}
	return 600 * time.Millisecond
}

func neighboursCells(o bench.Options) []bench.Cell {
	var cells []bench.Cell
	for _, e := range o.Chosen() {
		rows := neighboursRows(e)
		for _, limits := range []string{"none", "shares", "cpuset"} {
			if limits != "none" && !ownGroup(e, o) { // asked to have no groups, which limits are of
				continue
			}
			for _, beside := range rows[limits] {
				c := neighboursCell(e, o, "cpu", beside, limits)
				if beside == "memory" {
					c.Makes = append(c.Makes, "memory")
				}
				if beside == "disk" {
					c.Work, c.Disk = true, neighboursDisk+16<<20
				}
				cells = append(cells, c)
			}
		}
		cells = append(cells, resourceCells(e, o)...)
	}
	return cells
}

// neighboursCounts: there are some thirty comparisons in a family, which six trials
// can't answer.
var neighboursCounts = bench.Counts{Full: bench.Usual.Full, Quick: bench.Count{Trials: 8}, Slow: bench.Usual.Slow, SlowQuick: bench.Count{Trials: 2}}

// neighboursCell is a row of an environment.
func neighboursCell(e bench.About, o bench.Options, victim, beside, limits string) bench.Cell {
	c := neighboursCounts.Row(e, o)
	c.Variant = map[string]string{"victim": victim, "beside": beside, "limits": limits}
	c.Init, c.CPUs, c.Grouped = e.Guest, min(2, runtime.NumCPU()), ownGroup(e, o)
	c.Expect = 2*neighboursLength(o.Quick) + 50*time.Millisecond
	if beside != "nobody" {
		// A neighbour is what keeps the machine busy; the lab itself waits for a
		// processor, too, before it hears the victim.
		c.Makes = []string{"pressure", "load", bench.TwoClocks}
		c.Expect += 100 * time.Millisecond
	}
	if e.Guest {
		c.Expect += 5 * time.Second
	}
	return c
}

// neighboursFits wants room for the neighbour, and as much for everybody else.
func neighboursFits(c bench.Cell) error {
	if c.Variant["limits"] == "cpuset" && runtime.NumCPU() < 2 {
		return bench.Unavailable("two instances with a processor each need two, and there is one", "use a machine with two processors")
	}
	need := int64(64 << 20)
	switch beside := c.Variant["beside"]; {
	case c.Guest && c.Variant["victim"] == "network":
		need += 4 * densityGuestMemory
	case c.Guest:
		need += 2 * densityGuestMemory
	case beside == "memory":
		need += neighboursMemory
	case beside == "cache":
		need += neighboursCache * int64(runtime.NumCPU())
	}
	if err := bench.MemoryFits(need, "the neighbour may take", "end other programs"); err != nil {
		return err
	}
	return bench.TasksRoom(neighboursTasks, 16)
}

// neighboursTrial has the victim work while the neighbour does: that ends when its
// function returns.
func neighboursTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	mine, theirs := t.Spec(bench.Command{}), t.Spec(bench.Command{})
	limits := neighboursLimit
	if c.Variant["limits"] == "throttle" {
		limits = func(_ string, _, theirs *bench.Limits) error { return throttled(t, theirs) }
	}
	if err := limits(c.Variant["limits"], &mine.Limits, &theirs.Limits); err != nil {
		return err
	}
	switch c.Variant["victim"] {
	case "disk":
		return diskVictim(ctx, t, c, mine, theirs)
	case "network":
		return networkVictim(ctx, t, c, mine, theirs)
	}
	counts := func() error { return victim(ctx, t, c, mine) }
	var args []string
	switch c.Variant["beside"] {
	case "nobody":
		return counts()
	case "memory":
		args = append(args, fmt.Sprint("to=", neighboursMemory))
	case "disk":
		place, err := t.Place(ctx)
		if err != nil {
			return err
		}
		args = append(args, "dir="+place, fmt.Sprint("to=", neighboursDisk))
	}
	return disturbed(ctx, t, c, theirs, args, counts)
}

// disturbed has a victim work while the cell's neighbour does.
func disturbed(ctx context.Context, t *bench.T, c bench.Cell, theirs bench.Spec, more []string, victim func() error) error {
	args := append([]string{"disturb", "what=" + c.Variant["beside"], "ms=" + strconv.FormatInt(c.Timeout.Milliseconds(), 10)}, more...)
	return t.ProbeOf(ctx, theirs, args, func(_ bench.Instance, h bench.Heard) error {
		switch h.Kind {
		case line.Begin:
			return victim()
		case line.End:
			early, err := h.Value("early")
			if err == nil && early != 0 {
				err = bench.Blamed(bench.BlameLab, errors.New("the neighbour ended before the victim"))
			}
			return err
		}
		return nil
	})
}

// neighboursLimit sets the limits of the victim and of its neighbour.
func neighboursLimit(limits string, mine, theirs *bench.Limits) error {
	switch limits {
	case "none":
		return nil
	case "shares":
		mine.CPUWeight, theirs.CPUWeight = 1000, 10
	case "cpuset":
		may, err := bench.Processors()
		if err != nil {
			return err
		}
		if mine.CPUSet != "" || len(may) < 2 {
			return bench.NotApplicable("the run's instances are held to certain processors", "leave out --cpus")
		}
		// The first one has the most interrupts.
		other, _ := bench.OtherCore(may, bench.Siblings)
		theirs.CPUSet, mine.CPUSet = strconv.Itoa(may[0]), strconv.Itoa(other)
	}
	theirs.Pids, theirs.Memory = 64, 256<<20
	return nil
}

// victim is the half that counts.
func victim(ctx context.Context, t *bench.T, c bench.Cell, s bench.Spec) error {
	args := []string{"victim", "ms=" + strconv.FormatInt(neighboursLength(c.Quick).Milliseconds(), 10)}
	return t.ProbeOf(ctx, s, args, func(_ bench.Instance, h bench.Heard) error {
		switch {
		case h.Kind == line.End && h.Name == "work":
			v, err := h.Value("value")
			if err != nil {
				return err
			}
			t.Record("rate", v)
		case h.Kind == line.Samples:
			return t.RecordSamples("latency", h)
		}
		return nil
	})
}

var neighboursMetrics = []results.Metric{
	{Name: "rate", Title: "The victim's throughput", Unit: "1/s", Better: "higher",
		Help: "Units of its computation that the victim does in a second, one after another in one thread. The time in which others had its processor is in it."},
	{Name: "latency", Title: "The victim's latency", Unit: "s", Better: "lower",
		Help: "A unit is due every 2 ms: the time from then until it is done, waiting for the processor and for the units before it included. p50 and p99 are of all units of a trial; samples/ has all of them."},
}

var neighboursFigures = []results.Figure{
	{Name: "rate", Title: "The processor: the victim's throughput", Kind: "panels", Metrics: []string{"rate"},
		Caption: "Every point is one trial. beside= is the neighbour, limits= what the two are held to; with beside=nobody the victim has the machine for itself."},
	{Name: "latency", Title: "The processor: how long one of the victim's requests takes", Kind: "panels", Log: true, Metrics: []string{"latency p50", "latency p99"},
		Caption: "p50 is what half of a trial's units stay below, p99 what all but one in a hundred do. beside= and limits= as in the figure of throughput."},
}

// neighboursFindings compare a victim with a neighbour to the same one alone.
func neighboursFindings() (out []results.Finding) {
	add := func(claim int, beside, limits, statement, op string, threshold float64, reason string) {
		out = append(out, results.Finding{Name: "container-" + beside + "-" + limits, Claim: claim, Statement: statement,
			Metric: "rate", Of: "container", OfVariant: map[string]string{"victim": "cpu", "beside": beside, "limits": limits},
			To: "container", ToVariant: map[string]string{"victim": "cpu", "beside": "nobody"}, Compare: "ratio", Op: op, Threshold: threshold, Reason: reason})
	}
	const undisturbed = "5 % of the throughput is what one would notice in a day's work, and more than trials on a quiet machine differ by"
	for _, n := range []struct{ beside, what string }{
		{"equal", "one that does the same work on every processor"},
		{"cache", "one that writes to more memory than a cache has"},
		{"memory", "one that takes memory and gives it back"},
		{"forks", "a fork bomb"},
		{"disk", "one that writes to the disk"},
	} {
		add(7, n.beside, "none", "Without limits a container isn't disturbed by "+n.what+".", "within", 0.05, undisturbed)
	}
	// Both hold the neighbour to 64 processes, which is what a fork bomb meets first.
	for _, n := range []struct{ beside, what string }{{"equal", "one that does the same work"}, {"forks", "a fork bomb that may have 64 processes"}} {
		add(24, n.beside, "cpuset", "With a processor of its own a container isn't disturbed by "+n.what+".", "within", 0.05, undisturbed)
		add(25, n.beside, "shares", "With a hundred times the CPU weight a container keeps nine tenths of its throughput next to "+n.what+".", "above", 0.9,
			"the weights give it 99 % of a processor that both want; a tenth is for the switches between the two")
	}
	return out
}
