package scenarios

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/probe/line"
	"lab/bench/results"
)

// Restore asks what the time until ready hides: a saved guest may answer long before
// it is as fast as one that booted.
func Restore() *bench.Scenario {
	return &bench.Scenario{
		Name:     "restore",
		Alone:    "two starts at a time wait for the same locks of the kernel, and the wait would be measured",
		Workload: image.ProbePath,
		Question: "When is a restored guest as fast as one that booted?",
		Method: "A trial starts one instance of the lab's probe, the same bytes everywhere, which goes over memory eight times and times each pass: " +
			"first over two files of the image, which a guest had in its memory when it was saved (kept), then over memory of its own, one write to each page (fresh): touch= says how much. " +
			"start=cold: the guest boots. start=restored: it was saved once, its init waiting for work, and libvirt restores it each time. " +
			"What the passes come to in the end is the middle one of the last four. An instance is at full speed when it has done the last pass that took more than a tenth longer than that: " +
			"this time is added to the time until ready. " +
			"QEMU reads the whole saved state before the guest runs; other hypervisors map the file and read a page when the guest first touches it, " +
			"which makes ready sooner and the first pass longer.",
		Cells: restoreCells,
		Fits: func(bench.Cell) error {
			return bench.MemoryFits(restoreMemory, "an instance may have", "end other programs")
		},
		Trial:    restoreTrial,
		Metrics:  restoreMetrics,
		Figures:  restoreFigures,
		Findings: restoreFindings,
	}
}

// restoreMemory is a guest's RAM: twice the most that is touched.
const restoreMemory = 256 << 20

func restoreCells(o bench.Options) []bench.Cell {
	sizes := []string{"32M", "64M", "128M"}
	if o.Quick {
		sizes = []string{"32M", "128M"}
	}
	var cells []bench.Cell
	for _, e := range o.Chosen() {
		starts := []string{""}
		if e.Has("start", "cold", "restored") {
			starts = []string{"cold", "restored"}
		}
		for _, start := range starts {
			for _, size := range sizes {
				c := bench.Usual.Row(e, o)
				c.Trials = max(c.Trials, 6) // a start and its passes are short
				c.Variant, c.Init, c.Expect = map[string]string{"touch": size}, e.Guest, 100*time.Millisecond
				if start != "" {
					c.Variant["start"] = start
				}
				if e.Guest {
					c.Default, c.Expect = maps.Clone(exactClock), time.Second
					c.Default["memory"] = fmt.Sprint(restoreMemory)
				}
				cells = append(cells, c)
			}
		}
	}
	return cells
}

func restoreTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	from := clock.Now()
	at := from
	marks := []clock.Mark{}
	args := []string{"passes", fmt.Sprint("size=", restoreBytes(c.Variant["touch"]))}
	err := t.Probe(ctx, args, func(i bench.Instance, h bench.Heard) error {
		switch {
		case h.Kind == line.Begin && h.Name == "kept":
			if tr, ok := i.(bench.Tracer); ok {
				from = tr.Started()
			}
			at = h.At
			marks = append(marks, clock.Mark{Name: "start", At: at})
			t.RecordSince("ready", from, at)
		case h.Kind == line.End:
			took, err := passesOf(h)
			if err != nil {
				return err
			}
			first, later, slow := settled(took)
			t.Record(h.Name+"-first", first)
			t.Record(h.Name+"-later", later)
			t.Record(h.Name+"-ratio", first/later)
			at += clock.Time(slow * float64(time.Second))
			marks = append(marks, clock.Mark{Name: h.Name, At: at})
		}
		return nil
	})
	if err != nil {
		return err
	}
	last := marks[len(marks)-1]
	t.RecordPhases("full", from, last.At, marks[:len(marks)-1], last.Name)
	t.RecordSince("full", from, last.At)
	return nil
}

// restoreBytes are a row's.
func restoreBytes(touch string) (n int64) {
	fmt.Sscanf(touch, "%dM", &n)
	return n << 20
}

// passesOf are the seconds of each pass of a section, in order.
func passesOf(h bench.Heard) (took []float64, err error) {
	for _, p := range h.Pairs {
		var s float64
		if p.Key != "pass" {
			continue
		}
		if _, err := fmt.Sscan(p.Value, &s); err != nil || s <= 0 {
			return nil, bench.Blamed(bench.BlameMachine, fmt.Errorf("probe: %s: a pass took %s seconds: the clock inside is too coarse; fix, for a guest: --variant acpi=on, which gives it better clocks, or KVM", h.Name, p.Value))
		}
		took = append(took, s)
	}
	if len(took) < 2 {
		return nil, bench.Blamed(bench.BlameLab, fmt.Errorf("probe: %s has %d passes", h.Name, len(took)))
	}
	return took, nil
}

// slowPass is from which on a pass is slow, as a multiple of what they come to.
const slowPass = 1.1

// settled says of passes, in seconds, how long the first one took, what they come to
// (the middle one of the second half), and how long it took until none was slow: only
// those of the first half count, as what is slow later is the machine's doing.
func settled(took []float64) (first, later, slow float64) {
	half := len(took) / 2
	end := slices.Sorted(slices.Values(took[half:]))
	later = end[len(end)/2]
	var sum float64
	for _, s := range took[:half] {
		sum += s
		if s > slowPass*later {
			slow = sum
		}
	}
	return took[0], later, slow
}

var restoreMetrics = []results.Metric{
	{Name: "full", Title: "Time until full speed", Unit: "s", Better: "lower",
		Help: "From the call that starts an instance to the end of the last slow pass, over the image's files and over memory of its own: ready, and what the slow passes took."},
	{Name: "ready", Title: "Time until ready", Unit: "s", Better: "lower",
		Help: "From the same call to the moment at which the host reads the first word of the probe. A guest's program is under an init in all rows."},
	{Name: "fresh-first", Title: "First pass over its own memory", Unit: "s", Better: "lower",
		Help: "Time to write once to each page of 4 KiB of memory that was never touched before; touch= says how much."},
	{Name: "fresh-later", Title: "Later pass over its own memory", Unit: "s", Better: "lower",
		Help: "The same, the middle one of the last four passes."},
	{Name: "fresh-ratio", Title: "First pass, in later ones: its own memory", Unit: "1", Better: "lower",
		Help: "How many times as long the first pass takes as a later one: a page is found, cleared and mapped when it is first touched, in a guest by two kernels."},
	{Name: "kept-first", Title: "First pass over what was kept", Unit: "s", Better: "lower",
		Help: "Time to open, map and read from each page of " + firstFile + " (where the image has it) and of the probe, for the first time. A guest that was saved has them in the memory that was saved."},
	{Name: "kept-later", Title: "Later pass over what was kept", Unit: "s", Better: "lower",
		Help: "The same, the middle one of the last four passes."},
	{Name: "kept-ratio", Title: "First pass, in later ones: what was kept", Unit: "1", Better: "lower",
		Help: "How many times as long the first pass over these files takes as a later one."},
}

var restoreFigures = []results.Figure{
	{Name: "full", Title: "Who is at full speed first?", Kind: "panels", Log: true, Metrics: []string{"full", "ready"},
		Caption: "What ready hides is by how much a row's point is further to the right in the first panel than in the second."},
	{Name: "parts", Title: "What the time until full speed is made of", Kind: "phases", Metrics: []string{"full"},
		Caption: "The time until ready (start), and after it what the slow passes took: over the files that were in memory when the guest was saved (kept), and over memory of its own (fresh)."},
	{Name: "passes", Title: "The first pass over memory, and a later one", Kind: "panels", Log: true,
		Metrics: []string{"kept-first", "kept-later", "fresh-first", "fresh-later"},
		Caption: "If restoring hides anything, the first pass of start=restored takes longer than that of start=cold, and a later one doesn't."},
}

// restoreFindings compare a guest that was saved with one that booted, for the most
// memory that is touched.
var restoreFindings = func() []results.Finding {
	way := func(start string) map[string]string { return map[string]string{"start": start, "touch": "128M"} }
	f := func(claim int, name, statement, metric, op string, threshold float64, reason string) results.Finding {
		return results.Finding{Name: name, Claim: claim, Statement: statement, Metric: metric, Of: "vm", OfVariant: way("restored"), To: "vm", ToVariant: way("cold"),
			Compare: "ratio", Op: op, Threshold: threshold, Reason: reason, NeedsKVM: true}
	}
	return []results.Finding{
		f(2, "full", "A guest that was saved is at full speed sooner than one that boots.", "full", "below", 1, "sooner is sooner: what the first passes cost is in it"),
		f(0, "kept", "What a restored guest had in memory is as fast at the first touch as in one that booted.", "kept-first", "below", 1+little, "“as fast” is a tenth at the most; a page that is still in a file takes many times as long"),
		f(0, "fresh", "New memory is as fast at the first touch in a restored guest as in one that booted.", "fresh-first", "below", 1+little, "“as fast” is a tenth at the most"),
	}
}()
