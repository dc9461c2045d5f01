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

// distroLacks are what such a guest lacks.
var distroLacks = map[benchtest.Feature]string{
	benchtest.Ports: "its ports are the bridge's alone", benchtest.Work: "no disk of the workload's own",
}

// A distribution boots from its disk, and its unit runs what every environment runs.
func TestDistro(t *testing.T) {
	needsDistro(t, NewDistro())
	benchtest.Run(t, NewDistro(), benchtest.Options{Slow: true, Init: true, Lacks: distroLacks,
		Parts: []string{"Names", "Status", "User", "NotFound"}})
}

// needsDistro skips a test that has no time, or no such disk.
func needsDistro(t *testing.T, e *Env) {
	if os.Getenv("LAB_LONG") == "" {
		t.Skip("SKIPPED: takes 5 minutes; fix: LAB_LONG=1")
	}
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
}

// A distribution that isn't there is a reason and a fix, and none is made by a run.
func TestNoDistro(t *testing.T) {
	e := NewDistro()
	e.tb = &testbed.Testbed{Cache: t.TempDir()}
	err := e.checkDistro(t.Context(), bench.Spec{})
	if u := (*bench.UnfitError)(nil); !errors.As(err, &u) || u.Cure != e.distroCure() {
		t.Errorf("without a distribution: %v", err)
	}
}
