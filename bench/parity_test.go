package bench_test

import (
	"context"
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
	if err != nil || n < 6 {
		t.Fatalf("LAB_PARITY=%s isn't a number of rounds, 6 or more", word)
	}
	return n
}

// parity prints both medians with their intervals, and the ratio with its own.
// It is false where the whole interval lies further from 1 than parityApart.
func parity(t *testing.T, what, other, unit string, ours, theirs []float64) bool {
	t.Helper()
	a, err := stats.MedianInterval(ours)
	if err != nil {
		t.Fatal(err)
	}
	b, err := stats.MedianInterval(theirs)
	if err != nil {
		t.Fatal(err)
	}
	r, err := stats.RatioOfMedians(ours, theirs, 1)
	if err != nil {
		t.Fatal(err)
	}
	verdict, ok := "within 10 %", true
	switch {
	case r.Hi < 1-parityApart || r.Lo > 1+parityApart:
		verdict, ok = "NOT within 10 %", false
	case r.Lo < 1-parityApart || r.Hi > 1+parityApart:
		verdict = "undecided: this machine isn't quiet enough"
	}
	t.Logf("%s, %d rounds: probe %.4g %s (%.4g to %.4g), %s %.4g %s (%.4g to %.4g); ratio %.3f (%.3f to %.3f): %s", what, len(ours),
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
