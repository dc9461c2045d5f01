package benchtest

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/clock"
)

func (s *suite) cpu(t *testing.T) {
	s.needs(t, CPU, Usage)
	const limit = 0.2
	// Killed after a fixed time, it has used its share of it: a machine
	// under load only makes that less.
	spec := s.spec(t, sh("while :; do :; done"))
	spec.Limits.CPU = limit
	i := s.start(t, spec)
	began := clock.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
	defer cancel()
	exit, err := i.Wait(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Wait: %v, want the context's error", err)
	}
	took := exit.At.Sub(began)
	used := exit.Usage.User + exit.Usage.System
	if ratio := used.Seconds() / took.Seconds(); ratio > 1.6*limit || used == 0 {
		t.Errorf("a limit of %g cores, yet it used %v of %v: %.2f", limit, used, took, ratio)
	}
}

func (s *suite) memory(t *testing.T) {
	s.needs(t, Memory)
	limit := func(x *bench.Spec) { x.Limits.Memory = 32 << 20 }
	if out := s.run(t, "echo small", nil, limit); out.text != "small\n" || out.exit.OOM {
		t.Errorf("below the limit: %q, %v", out.text, out.exit)
	}
	// A string that doubles, in the shell's own memory.
	i := s.running(t, "s=0123456789; while :; do s=$s$s; done", limit)
	exit := s.wait(t, i)
	if !exit.OOM {
		t.Errorf("past the limit: %v, want it killed for want of memory", exit)
	}
	if exit.Status() == 0 {
		t.Errorf("past the limit: status 0")
	}
	// Killed by us, within the limit: that isn't the same.
	i = s.running(t, "exec sleep 1000", limit)
	if err := i.Signal(kill); err != nil {
		t.Fatal(err)
	}
	if exit := s.wait(t, i); exit.OOM {
		t.Error("killed by a signal, and it is said that memory ran out")
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
}

func (s *suite) pids(t *testing.T) {
	s.needs(t, Pids)
	// A shell in a shell in a shell. (A background job would want /dev/null.)
	out := s.runAny(t, "f() { echo $1; if [ $1 -lt 40 ]; then (f $(($1+1))); :; fi; }; f 1",
		func(x *bench.Spec) { x.Limits.Pids = 10 })
	fields := strings.Fields(out)
	if len(fields) == 0 {
		t.Fatalf("it started nothing: %q", out)
	}
	last := 0
	for _, f := range fields { // the shell's own words may follow
		if n, err := strconv.Atoi(f); err == nil {
			last = n
		}
	}
	if last < 2 || last > 10 {
		t.Errorf("a limit of 10 processes, yet it started %d", last)
	}
}

// runAny runs a script that may fail, and gives what it wrote.
func (s *suite) runAny(t *testing.T, script string, change ...func(*bench.Spec)) string {
	t.Helper()
	spec := s.spec(t, sh(script))
	for _, f := range change {
		f(&spec)
	}
	text, _ := s.collect(t, spec)
	return text
}
