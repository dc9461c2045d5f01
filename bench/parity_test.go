package bench_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/stats"
)

// Our probe's figures beside those of programs that papers use: make parity.

// parityApart is how far our median may be from another program's.
const parityApart = 0.10

// parityRounds is how many times each program measures, or skips the test: it
// takes minutes, and says something of quiet machines alone.
func parityRounds(t *testing.T) int {
	t.Helper()
	word := os.Getenv("LAB_PARITY")
	if word == "" {
		t.Skip("sets our figures beside other programs', for minutes: make parity")
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < stats.MinPairs {
		t.Fatalf("LAB_PARITY=%s isn't a number of rounds, %d or more", word, stats.MinPairs)
	}
	return n
}

// beside measures each of n things with the probe and with another program, one
// right after the other: what the machine does meanwhile it does to both of a
// pair. The things' order is shuffled anew in each round, and the pair's.
func beside(rounds, n int, measure func(thing int, ours bool)) {
	for range rounds {
		for _, i := range rand.Perm(n) {
			ours := rand.IntN(2) == 0
			measure(i, ours)
			measure(i, !ours)
		}
	}
}

// figures are what was measured of one thing: by the probe, and by the other
// program.
type figures struct{ ours, theirs []float64 }

func (f *figures) add(ours bool, v float64) {
	if ours {
		f.ours = append(f.ours, v)
	} else {
		f.theirs = append(f.theirs, v)
	}
}

// parity prints both medians with their intervals, and the ratio of the pairs
// with its own. It is false where that whole interval lies further from 1 than
// apart.
func parity(t *testing.T, what, other, unit string, f figures, apart float64) bool {
	t.Helper()
	a, err := stats.MedianInterval(f.ours)
	if err != nil {
		t.Fatal(err)
	}
	b, err := stats.MedianInterval(f.theirs)
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := stats.PairedRatio(f.ours, f.theirs, 1)
	if err != nil {
		t.Fatal(err)
	}
	within := fmt.Sprintf("within %g %%", 100*apart)
	verdict, ok := within, true
	switch {
	case r.Hi < 1-apart || r.Lo > 1+apart:
		verdict, ok = "NOT "+within, false
	case r.Lo < 1-apart || r.Hi > 1+apart:
		verdict = "undecided, " + within + " or not: this machine isn't quiet enough"
	}
	t.Logf("%s, %d pairs: probe %.4g %s (%.4g to %.4g), %s %.4g %s (%.4g to %.4g); ratio of the pairs %.3f (%.3f to %.3f): %s", what, len(f.ours),
		a.Point, unit, a.Lo, a.Hi, other, b.Point, unit, b.Lo, b.Hi, r.Point, r.Lo, r.Hi, verdict)
	return ok
}

// ownSession gives a program a session of its own, to which the kernel gives a
// share of a contended CPU (sched(7), the autogroup feature): what else runs
// then takes as much from one program as from another.
func ownSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// child starts a program that ends with the test.
func child(t *testing.T, cmd *exec.Cmd) (end func()) {
	t.Helper()
	ownSession(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	t.Cleanup(end)
	return end
}

// converse starts the program with a subcommand and hears it out. It returns the
// CPU time that the program took.
func converse(t *testing.T, program string, args []string, on func(bench.Heard) error) time.Duration {
	t.Helper()
	p, err := bench.NewProbe()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c := p.Command(args...)
	cmd := exec.Command(program, c.Argv[1:]...)
	cmd.Stdin = c.Stdin
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.Stdout = w
	end := child(t, cmd)
	w.Close()
	defer end()
	p.Listen(r)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := p.Talk(ctx, on); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return spent(cmd)
}

// probeProgram builds the probe.
func probeProgram(t *testing.T) string {
	t.Helper()
	program := t.TempDir() + "/probe"
	build := exec.Command("go", "build", "-o", program, "lab/bench/probe/program")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// spent is the CPU time that an ended program took.
func spent(cmd *exec.Cmd) time.Duration {
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}
