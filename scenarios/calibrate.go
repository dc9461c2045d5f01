package scenarios

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/results"
)

// The parts of a calibration, which asks not how fast something is but how far
// the lab can be trusted here. Package bench/calibrate judges what they gave.
const (
	// CalibrateShuffled and CalibrateBlocks run one environment under two
	// labels, A and B: whatever is found between these isn't there. The first
	// shuffles, as every run of the lab does; the second makes all trials of
	// the one and then all of the other, as many tools do.
	CalibrateShuffled = "calibrate-shuffled"
	CalibrateBlocks   = "calibrate-blocks"

	// CalibratePlanted slows a start of 5 ms by nothing, by 2 % and by half: the
	// first isn't to be found, the second is by 100 trials, the third by six.
	CalibratePlanted = "calibrate-planted"

	// CalibrateOutside is the host environment, whose starts the supervisor
	// mixes with the same ones made outside of the testbed.
	CalibrateOutside = "calibrate-outside"
)

// ShortRun is how many trials of each label make one short run of a pair.
const ShortRun = 20

// Calibration lists the parts in the order in which they are made. They aren't
// in All: lab calibrate runs them, and names their environments.
func Calibration() []*bench.Scenario {
	labels := func(o bench.Options) []bench.Cell {
		var cells []bench.Cell
		for _, e := range o.Environments {
			for _, label := range []string{"A", "B"} {
				cells = append(cells, bench.Cell{Env: e, Variant: map[string]string{"label": label}, Trials: 200 * ShortRun, Warmup: 5})
			}
		}
		return cells
	}
	return []*bench.Scenario{
		calibration(CalibrateShuffled, "How often is an environment called different from itself?",
			"Each block has one start under the label A and one under B, in shuffled order.", labels, 0),
		calibration(CalibrateBlocks, "How often would it be, if all starts under A came before those under B?",
			fmt.Sprintf("%d starts under the label A, then as many under B, and so on.", ShortRun), labels, ShortRun),
		calibration(CalibratePlanted, "Is a start that was slowed by 2 % found?",
			"A start of the host environment, before which the lab works for so long that both take about 5 ms. "+
				"Under slowed=2% and 50% it does more of the same work, by so much of the whole.",
			func(bench.Options) []bench.Cell {
				var cells []bench.Cell
				for _, s := range []string{"no", "0%", "2%", "50%"} {
					cells = append(cells, bench.Cell{Env: "host", Variant: map[string]string{"slowed": s}, Trials: 1000, Warmup: 5})
				}
				return cells
			}, 0),
		calibration(CalibrateOutside, "Does the testbed change how a plain process starts?",
			"A start in the testbed's namespaces and one of the same program outside of them, in shuffled order.",
			func(bench.Options) []bench.Cell {
				return []bench.Cell{{Env: "host", Trials: 400, Warmup: 5}}
			}, 0),
	}
}

func calibration(name, question, method string, cells func(bench.Options) []bench.Cell, grouped int) *bench.Scenario {
	return &bench.Scenario{
		Name: name, Question: question, Method: method, Grouped: grouped,
		Cells: func(o bench.Options) []bench.Cell {
			out := cells(o)
			for i := range out {
				out[i].Timeout = 20 * time.Second
			}
			return out
		},
		Trial: calibrateTrial,
		Metrics: []results.Metric{{
			Name: "ready", Title: "Time until ready", Unit: "s", Better: "lower",
			Help: "From the call that starts an instance to the moment at which the host reads the first byte that the workload wrote.",
		}},
	}
}

// calibrateTrial is a start, as startupTrial makes it, with the one value that
// a calibration needs.
func calibrateTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	token := bench.Token()
	i, err := t.Prepare(ctx, t.Spec(bench.Command{Argv: []string{image.ReadyPath, token}}))
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { i.Signal(syscall.SIGKILL) })()
	n := planted(c.Variant["slowed"])
	start := clock.Now()
	work(n)
	if err := i.Start(ctx); err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	seen, err := clock.AwaitToken(i.Ready(), []byte(token), time.Until(deadline))
	if err != nil {
		return bench.Blamed(bench.BlameWorkload, err)
	}
	t.RecordSince("ready", start, seen.At)
	if _, err := i.Wait(ctx); err != nil {
		return err
	}
	return t.Close(i)
}

// The planted work makes a start of some 0.3 ms one of 5 ms.
const (
	plantedWhole = 5 * time.Millisecond
	plantedWork  = plantedWhole - 300*time.Microsecond
)

// planted is how many rounds of work a trial does before its start.
func planted(slowed string) int {
	if slowed == "" {
		return 0
	}
	n := rounds()
	more := map[string]float64{"2%": 0.02, "50%": 0.5}[slowed]
	n += int(float64(n) * more * float64(plantedWhole) / float64(plantedWork))
	return n
}

// rounds is how many fill the time of plantedWork here. It is measured once a
// run, by the fastest of several attempts; after that, work is a number of
// rounds and not a time: what slows the processor slows it, too.
var rounds = sync.OnceValue(func() int {
	const attempt = 1_000_000
	best := time.Hour
	for range 20 {
		start := clock.Now()
		work(attempt)
		best = min(best, clock.Now().Sub(start))
	}
	return int(float64(attempt) * float64(plantedWork) / float64(max(best, 1)))
})

// work keeps the processor busy with n rounds of G. Marsaglia's xorshift
// generator (Xorshift RNGs, Journal of Statistical Software 8 (2003) 14), each
// of which needs the one before it.
func work(n int) {
	x := uint64(88172645463325252)
	for range n {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	sink = x
}

// sink keeps the compiler from leaving the work out.
var sink uint64
