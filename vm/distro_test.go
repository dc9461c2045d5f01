package vm

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/testbed"
)

// A distribution boots from its disk, and its unit runs what every environment runs.
func TestDistro(t *testing.T) {
	if os.Getenv("LAB_LONG") == "" {
		t.Skip("SKIPPED: takes 5 minutes; fix: LAB_LONG=1")
	}
	e := NewDistro()
	tb := benchtest.Testbed(t)
	if err := e.Open(within(t, time.Minute), tb); err != nil {
		t.Fatal(err)
	}
	set, err := bench.Resolve(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := bench.Spec{Image: benchtest.Image(t), Settings: set, Command: bench.Command{Argv: []string{"/bin/sh"}}}
	if err := errors.Join(e.Check(context.Background(), s), e.Close()); errors.Is(err, bench.ErrUnavailable) {
		t.Skipf("SKIPPED: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	benchtest.Run(t, NewDistro(), benchtest.Options{Slow: true, Init: true, Parts: []string{"Names", "Ready", "Status", "Stdin", "User", "NotFound", "Signals", "Image"}, Lacks: map[benchtest.Feature]string{
		benchtest.Ports: "no network of its own yet", benchtest.Work: "no disk of the workload's own",
	}})
}

// A distribution that isn't there is a reason and a fix, and none is made by a run.
func TestNoDistro(t *testing.T) {
	e := NewDistro()
	e.tb = &testbed.Testbed{Cache: t.TempDir()}
	err := e.checkDistro()
	if u := (*bench.UnfitError)(nil); !errors.As(err, &u) || u.Cure != distroCure {
		t.Errorf("without a distribution: %v", err)
	}
}
