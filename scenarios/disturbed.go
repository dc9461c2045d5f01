package scenarios

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/clock"
)

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
