package scenarios

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"time"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/results"
)

// The parts of lab calibrate --paired: pairs of trials made at the same time, and trials
// made alone in the same blocks, of what a program computes and of what it asks a disk.
const (
	CalibratePairedCPU  = "calibrate-paired-cpu"
	CalibratePairedDisk = "calibrate-paired-disk"
)

// pairedCPU and pairedDisk are what a trial measures there: few things, so that there are
// many trials.
var (
	pairedCPU  = []string{"integer", "triad", "syscall"}
	pairedDisk = []string{"direct-read", "direct-randread1", "direct-randwrite1", "fsync"}
)

// InPairs lists the parts in the order in which they are made.
func InPairs() []*bench.Scenario {
	const question = "Are pairs of trials made at the same time told from themselves, and how much narrower are their intervals?"
	const method = "Each block has a pair of trials of the host environment under the labels A and B, made at the same time, each on a processor of its own; " +
		"and a trial of either that is made alone, as lab run does without --paired. "
	cpu := &bench.Scenario{
		Name: CalibratePairedCPU, Workload: image.ProbePath, Question: question, Layout: true,
		Method: method + "A trial computes with integers, works on memory in order and makes system calls, as those of the scenario cpu under --quick do.",
		Trial:  func(ctx context.Context, t *bench.T, c bench.Cell) error { return cpuSome(ctx, t, c, pairedCPU...) },
		Cells: func(bench.Options) []bench.Cell {
			return pairedCells(bench.Cell{Expect: time.Duration(len(pairedCPU)) * cpuLength(false, true)})
		},
		Metrics: only(cpuMetrics, pairedCPU),
	}
	disk := &bench.Scenario{
		Name: CalibratePairedDisk, Workload: image.ProbePath, Question: question, Layout: true,
		Method: method + "A trial reads a file in order, reads and writes it at random and calls fsync, past the page cache, as those of the scenario disk under --quick do.",
		Trial: func(ctx context.Context, t *bench.T, c bench.Cell) error {
			return diskSome(ctx, t, c, pairedDisk, func(bench.Instance, bench.Heard) error { return nil })
		},
		Cells: func(o bench.Options) []bench.Cell {
			p := diskPlanFor(true, false)
			return pairedCells(bench.Cell{Work: true, Disk: diskNeed(false, p, o), Expect: time.Duration(len(pairedDisk))*p.section + 200*time.Millisecond})
		},
		Metrics: only(diskMetrics(), pairedDisk),
	}
	return []*bench.Scenario{cpu, disk}
}

// pairedCells are a pair's two, and the two that are made alone.
func pairedCells(like bench.Cell) (cells []bench.Cell) {
	like.Env, like.HostFiles, like.Grouped, like.Quick = "host", true, true, true
	like.CPUs, like.Trials, like.Warmup, like.Timeout = min(2, runtime.NumCPU()), 200, 2, time.Minute
	for _, made := range []string{"in-pairs", "alone"} {
		for _, label := range []string{"A", "B"} {
			c := like
			c.Variant, c.Alone = map[string]string{"label": label, "made": made}, made == "alone"
			cells = append(cells, c)
		}
	}
	return cells
}

// only are those of a scenario's metrics that a trial of some sections has.
func only(all []results.Metric, sections []string) (out []results.Metric) {
	for _, m := range all {
		if slices.Contains(sections, strings.TrimSuffix(m.Name, "-latency")) {
			out = append(out, m)
		}
	}
	return out
}
