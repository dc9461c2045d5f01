package scenarios

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/results"
)

// Density asks what a machine does that is full of instances: how long one more
// takes to start, how many start in a second, and what each of them costs.
func Density() *bench.Scenario {
	return &bench.Scenario{
		Name:     "density",
		Alone:    "a trial has many instances, which take all processors",
		Workload: image.StayPath,
		Question: "How many instances does a machine take, and how fast is one more?",
		Method: "The instances run a program of less than 200 bytes that writes its token, and then sleeps. " +
			"how=together: they are started all at once, and the trial ends when the host has seen the last one's token. " +
			"how=beside: so many are started one after another, each when the one before it is ready; when all of them live, one more is started, and that start is what counts. " +
			"how=filling: the same with a thousand, or two hundred under --quick; the last hundred starts are held against the first, phase by phase. " +
			"What a phase waits is its length without the processor time that the kernel counted for the thread that starts the instance, and for the instance. " +
			"What they cost is by how much the machine's available memory fell meanwhile, for each of them; a plain process's is in it. " +
			"Its parts are by how much the kernel's own sums in /proc/meminfo rose. " +
			"Nothing is started that the machine has no room for: half of its available memory, and of the processes that it allows, stays free. " +
			"Should others take more meanwhile, or programs wait for memory, the trial is stopped.",
		Cells:    densityCells,
		Fits:     densityFits,
		Trial:    densityTrial,
		Metrics:  densityMetrics,
		Figures:  densityFigures,
		Findings: densityFindings,
	}
}

// densityCounts: a trial of a thousand takes half a minute. Six are the fewest that
// have an interval.
var densityCounts = bench.Counts{Full: bench.Count{Trials: 10, Warmup: 1}, Quick: bench.Count{Trials: 6},
	Slow: bench.Count{Trials: 6}, SlowQuick: bench.Count{Trials: 2}}

// How instances are started; filling is beside with as many as show what a full machine
// does, in fewer trials.
const (
	densityTogether = "together"
	densityBeside   = "beside"
	densityFilling  = "filling"

	densityFillingTrials = 6
)

// densityRows are the numbers of instances of each way.
func densityRows(e bench.About, quick bool) (together, beside, filling []int) {
	switch {
	case e.Guest && quick:
		return []int{1, 2}, []int{1}, nil
	case e.Guest:
		return []int{1, 2, 4}, []int{1, 4}, nil
	case e.Slow || e.WholeCommand:
		return []int{1, 2, 4, 16}, []int{1, 10}, nil
	case quick:
		return []int{1, 4, 16, 64}, []int{1, 10}, []int{2 * densityEdge}
	}
	return []int{1, 2, 4, 16, 64}, []int{1, 10, 100}, []int{10 * densityEdge}
}

func densityCells(o bench.Options) []bench.Cell {
	var cells []bench.Cell
	for _, e := range o.Chosen() {
		rows := func(how string, ns []int) {
			for _, n := range ns {
				c := densityCounts.Row(e, o)
				c.N, c.Variant = n, map[string]string{"how": how}
				// Starting many at once is what keeps the machine busy.
				c.Makes = []string{"pressure", "load"}
				each := 20 * time.Millisecond
				if e.Guest {
					each = 4 * time.Second
				}
				c.Expect = time.Duration(n) * each
				c.Timeout += 10 * c.Expect
				if how == densityFilling {
					c.Trials, c.Warmup = densityFillingTrials, 0
				}
				cells = append(cells, c)
			}
		}
		together, beside, filling := densityRows(e, o.Quick)
		rows(densityTogether, together)
		rows(densityBeside, beside)
		rows(densityFilling, filling)
	}
	return cells
}

// What an instance may take at the most, and is kept free for: memory of the kernel's
// for namespaces and mounts, of the lab's for its thread; a guest's is its RAM.
const (
	densityMemory      = 2 << 20
	densityGuestMemory = 256 << 20
	densityFiles       = 4  // descriptors in the lab, for each
	densityStarting    = 32 // and for each that is being started
	densityLook        = 16 // starts between two looks at the machine's memory
)

func densityFits(c bench.Cell) error {
	each := int64(densityMemory)
	if c.Guest {
		each = densityGuestMemory
	}
	files := densityFiles
	if c.Variant["how"] == densityTogether {
		files = densityStarting
	}
	if err := bench.MemoryFits(int64(c.N)*each, fmt.Sprintf("%d at a time may take", c.N), "end other programs"); err != nil {
		return err
	}
	return bench.TasksRoom(2*c.N, files*c.N) // a process, and a thread of the lab's
}

func densityTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	if c.Variant["how"] == densityTogether {
		return together(ctx, t, c)
	}
	return oneMore(ctx, t, c)
}

// together starts all at once.
func together(ctx context.Context, t *bench.T, c bench.Cell) error {
	type one struct {
		i     bench.Instance
		token string
		s     *started
		err   error
	}
	all := make([]one, c.N)
	for n := range all {
		x := &all[n]
		x.token = bench.Token()
		var err error
		if x.i, err = t.Prepare(ctx, t.Spec(bench.Command{Argv: []string{image.StayPath, x.token}})); err != nil {
			return fmt.Errorf("instance %d of %d: %w", n+1, c.N, err)
		}
	}
	from := clock.Now()
	var wait sync.WaitGroup
	for n := range all {
		wait.Go(func() { all[n].s, all[n].err = begin(ctx, all[n].i, all[n].token) })
	}
	wait.Wait()
	last := from
	for n, x := range all {
		if x.err != nil {
			return fmt.Errorf("instance %d of %d: %w", n+1, c.N, x.err)
		}
		last = max(last, x.s.at)
	}
	t.RecordSince("all", from, last)
	t.Record("rate", float64(c.N)/last.Sub(from).Seconds())
	return nil
}

// densityEdge is how many of the first and of the last starts are compared.
const densityEdge = 100

// oneMore starts them one after another, and then the one that counts.
func oneMore(ctx context.Context, t *bench.T, c bench.Cell) error {
	before, err := full()
	if err != nil {
		return err
	}
	ramp, err := bench.NewRamp()
	if err != nil {
		return err
	}
	all := make([]*started, c.N)
	from := clock.Now()
	for n := range all {
		if n%densityLook == 0 {
			if err := ramp.Check(n, c.N); err != nil {
				return err
			}
		}
		if all[n], err = start(ctx, t, image.StayPath, c.Variant["how"] == densityFilling); err != nil {
			return fmt.Errorf("instance %d of %d: %w", n+1, c.N, err)
		}
	}
	ended := clock.Now()
	after, err := full()
	if err != nil {
		return err
	}
	s, err := start(ctx, t, image.StayPath, false)
	if err != nil {
		return fmt.Errorf("the one beside %d: %w", c.N, err)
	}
	s.record(t)
	if c.Variant["how"] != densityFilling {
		return nil
	}
	t.Record("row", float64(c.N)/ended.Sub(from).Seconds())
	each := func(row string) float64 { return float64(after[row]-before[row]) / float64(c.N) }
	t.Record("memory", -each("MemAvailable"))
	t.RecordParts("memory", []bench.Part{
		{Name: "kernel objects", Value: each("Slab")},
		{Name: "kernel stacks", Value: each("KernelStack")},
		{Name: "page tables", Value: each("PageTables")},
		{Name: "per-CPU data", Value: each("Percpu")},
		{Name: "the lab's memory", Value: each("lab")},
		{Name: "the programs' memory", Value: each("AnonPages") - each("lab")},
	})
	recordEdges(t, all[:densityEdge], all[c.N-densityEdge:])
	return nil
}

// full is the machine's memory as the kernel adds it up, in bytes, with the lab's own.
func full() (map[string]int64, error) {
	m, err := bench.HostMemory()
	if err != nil {
		return nil, err
	}
	var lab bench.Cost
	err = lab.AddProcesses(os.Getpid())
	m["lab"], _ = lab.PSS()
	return m, err
}

// recordEdges compares the last starts with the first: as a whole, and phase by phase
// what their medians differ by, and what the last ones wait for.
func recordEdges(t *bench.T, first, last []*started) {
	whole := func(s *started) float64 { return s.at.Sub(s.from).Seconds() }
	t.Record("growth", middle(last, whole)/middle(first, whole))
	t.Record("later", middle(last, whole)-middle(first, whole))
	names := last[0].phases()
	if names == nil {
		return
	}
	var later, waits []bench.Part
	sum := 0.0
	for n, p := range names {
		took := func(s *started) float64 { return s.phases()[n].took }
		idle := func(s *started) float64 { return s.phases()[n].idle }
		later = append(later, bench.Part{Name: p.name, Value: middle(last, took) - middle(first, took)})
		waits = append(waits, bench.Part{Name: p.name, Value: middle(last, idle)})
		sum += middle(last, idle)
	}
	t.RecordParts("later", later)
	t.Record("waits", sum)
	t.RecordParts("waits", waits)
}

// A phase of a start: how long it took, and for how much of that no processor worked
// on it, both in seconds.
type phase struct {
	name       string
	took, idle float64
}

// phases are those of a start that accounts for its processor time, until its program
// executes; nil of another. Starts of one row all have the same.
func (s *started) phases() (out []phase) {
	if _, ok := s.i.(bench.Accountant); !ok {
		return nil
	}
	tr, ok := s.i.(bench.Tracer)
	if !ok {
		return nil
	}
	at, cpu := s.from, time.Duration(0)
	for _, m := range tr.Marks() {
		took := m.At.Sub(at)
		out = append(out, phase{m.Name, took.Seconds(), max(0, took-(m.CPU-cpu)).Seconds()})
		at, cpu = m.At, m.CPU
	}
	return out
}

// middle is the median of what is asked of each start, of the upper one of two.
func middle(of []*started, value func(*started) float64) float64 {
	v := make([]float64, len(of))
	for n, s := range of {
		v[n] = value(s)
	}
	slices.Sort(v)
	return v[len(v)/2]
}

var densityMetrics = []results.Metric{
	{Name: "ready", Title: "Time until one more is ready", Unit: "s", Better: "lower", Start: true,
		Help: "From the call that starts one more instance, beside all that live already, to the first byte that its workload wrote."},
	{Name: "all", Title: "Time until the last of all is ready", Unit: "s", Better: "lower", Start: true,
		Help: "From the moment at which all are started at once to the first byte of the last one's workload."},
	{Name: "rate", Title: "Starts per second, all at once", Unit: "1/s", Better: "higher", Start: true,
		Help: "How many there are, divided by the time until the last is ready."},
	{Name: "row", Title: "Starts per second, one after another", Unit: "1/s", Better: "higher", Start: true,
		Help: "How many there are, divided by the time that it took to start them, each when the one before it was ready."},
	{Name: "memory", Title: "Memory of the machine for each", Unit: "B", Better: "lower",
		Help: "By how much MemAvailable of the machine fell while they were started, divided by how many there are: the program, the kernel's own for its isolation, and the lab's for watching it. What else the machine does is in it."},
	{Name: "growth", Title: "Time of the last starts, by the first", Unit: "1", Better: "lower",
		Help: "The median start of the last hundred divided by that of the first hundred: 1 if a full machine starts as fast as an empty one."},
	{Name: "later", Title: "Extra time of a start on a full machine", Unit: "s", Better: "lower",
		Help: "The median start of the last hundred less that of the first hundred, and the same for each of its phases. What no phase has is in the program's own first byte."},
	{Name: "waits", Title: "Waiting time of a start on a full machine", Unit: "s", Better: "lower",
		Help: "The sum of the phases in which no processor worked on it: the medians of the last hundred starts. It waits for a lock, for RCU, for a processor that others have, or for another thread to wake."},
}

var densityFigures = []results.Figure{
	{Name: "beside", Title: "One more, next to those that run", Kind: "panels", Metrics: []string{"ready", "growth"},
		Caption: "Every point is one trial."},
	{Name: "together", Title: "All at once", Kind: "panels", Metrics: []string{"all", "rate"},
		Caption: "Every point is one trial. Starts that don't hinder each other make the rate rise until the processors are busy."},
	{Name: "phases", Title: "What the start of one more is made of", Kind: "phases", Metrics: []string{"ready"},
		Caption: "The parts of the time until ready: the one that grows with the number of neighbours is what a start waits for."},
	{Name: "later", Title: "What a start on a full machine takes longer for", Kind: "phases", Metrics: []string{"later"},
		Caption: "By how much the median of each phase grew from the first hundred starts to the last. Compare with the next figure: what grew and doesn't wait is work, as where the kernel looks through a list of all that live."},
	{Name: "waits", Title: "What the last starts wait for", Kind: "phases", Metrics: []string{"waits"},
		Caption: "The time in each phase in which no processor worked on the start: locks, RCU grace periods, a processor that others have. The phase thread is the way from the caller to the thread that starts."},
	{Name: "memory", Title: "What each of them takes of the machine", Kind: "panels", Metrics: []string{"memory", "row"},
		Caption: "Every point is one trial."},
	{Name: "memory-parts", Title: "Whose memory that is", Kind: "phases", Metrics: []string{"memory"},
		Caption: "Kernel objects are those of namespaces, mounts, file systems and control groups."},
}

var densityFindings = []results.Finding{
	{
		Name: "container-thousand", Claim: 14, Statement: "On a machine that is full of containers the last hundred take less than half as long again to start as the first.",
		Metric: "growth", Of: "container", OfVariant: map[string]string{"how": densityFilling}, Compare: "value", Op: "below", Threshold: 1.5,
		Reason: "half as long again is what one would notice; the phases of the start say what they wait for",
	},
	{
		Name: "container-each", Claim: 14, Statement: "Containers are cheap enough for one process each.",
		Metric: "memory", Of: "container", OfVariant: map[string]string{"how": densityFilling}, To: "host", ToVariant: map[string]string{"how": densityFilling},
		Compare: "difference", Op: "below", Threshold: 300 << 10,
		Reason: "300 KiB beside the program's own is less than a small shell takes",
	},
	{
		Name: "operator", Claim: 33, Statement: "A machine like this one starts 3,300 containers a second.",
		Metric: "all", Of: "container", OfVariant: map[string]string{"how": densityTogether}, Compare: "slope", Op: "below", Threshold: 1. / 3300,
		Reason: "two billion a week are 3,300 a second; how many machines like this one that takes is 3,300 times as many seconds as one more container takes among those that start at once",
	},
}
