package scenarios

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

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

// CalibrateDisturbed plants disturbances: does the guard see them, and does it
// see some where there are none?
const CalibrateDisturbed = "calibrate-disturbed"

// Disturbances are what is planted, beside nothing ("no").
var Disturbances = []string{"cpu", "memory", "clock"}

// Disturbed is the part of a calibration that lab calibrate --disturb makes.
func Disturbed() *bench.Scenario {
	s := calibration(CalibrateDisturbed, "Is a trial that something disturbed marked, and one that was left alone not?",
		"A start of the host environment, before which the lab works for some 5 ms. Under disturb=cpu two programs for each processor compute at the same time; "+
			"under disturb=memory six programs read a file of 32 MiB again and again within a memory limit of 16 MiB; under disturb=clock the guard's own reading of the wall "+
			"clock is moved by 5 ms in the middle of the trial (the machine's clock isn't touched); under disturb=no nothing is done.",
		func(bench.Options) []bench.Cell {
			var cells []bench.Cell
			for _, d := range append([]string{"no"}, Disturbances...) {
				cells = append(cells, bench.Cell{Env: "host", Variant: map[string]string{"disturb": d}, StepClock: d == "clock", Trials: 100, Warmup: 2})
			}
			return cells
		}, 0)
	s.Trial = disturbedTrial
	return s
}

// disturbedTrial is a start while a disturbance goes on. That of the clock is
// made by who owns the guard (Cell.StepClock).
func disturbedTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	var err error
	switch c.Variant["disturb"] {
	case "cpu":
		for range 2 * runtime.NumCPU() {
			if err = disturb(ctx, t, nil, 0, "echo $0; while :; do :; done"); err != nil {
				break
			}
		}
	case "memory":
		var f *os.File
		if f, err = largeFile(); err == nil {
			// What an earlier reader left in memory is nobody's, and free.
			err = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
		}
		if err == nil {
			err = disturb(ctx, t, f, 16<<20, shortOfMemory)
		}
	}
	if err != nil {
		return fmt.Errorf("plant a disturbance: %w", err)
	}
	c.Variant = map[string]string{"slowed": "no"}
	return calibrateTrial(ctx, t, c)
}

// shortOfMemory writes its token when the whole file was read once: the limit is
// reached by then. Where the kernel finds nothing to drop and kills, it is to be a
// reader, who has successors.
const shortOfMemory = `echo -1000 >/proc/self/oom_score_adj
first() { echo 1000 >/proc/self/oom_score_adj; cat /proc/self/fd/3 >/dev/null; }
again() { while :; do (first); done; }
exec 3<&0
for i in 1 2 3 4 5 6; do again & done
(first)
echo $0
wait`

// disturb starts a shell's script, and returns when it is at work: it writes
// its own name, which is a token. T ends it. memory limits it; 0 is no limit.
func disturb(ctx context.Context, t *bench.T, stdin *os.File, memory int64, script string) error {
	token := bench.Token()
	spec := t.Spec(bench.Command{Argv: []string{"/bin/sh", "-c", script, token}, Env: []string{"PATH=" + bench.DefaultPath}, Stdin: stdin})
	spec.Limits.Memory = memory
	i, err := t.Prepare(ctx, spec)
	if err != nil {
		return err
	}
	if err := i.Start(ctx); err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	_, err = clock.AwaitToken(i.Ready(), []byte(token), time.Until(deadline))
	return err
}

// largeFile is a file without a name on a disk.
var largeFile = sync.OnceValues(func() (*os.File, error) {
	const dir = "/var/tmp" // which, unlike /tmp, isn't memory (file-hierarchy(7))
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("a file in %s: %w", dir, err)
	}
	f := os.NewFile(uintptr(fd), dir+"/(no name)")
	some := make([]byte, 1<<20)
	for range 32 {
		if _, err := f.Write(some); err != nil {
			f.Close()
			return nil, fmt.Errorf("a file in %s: %w", dir, err)
		}
	}
	if err := f.Sync(); err != nil { // what isn't written can't be dropped
		f.Close()
		return nil, fmt.Errorf("a file in %s: %w", dir, err)
	}
	return f, nil
})
