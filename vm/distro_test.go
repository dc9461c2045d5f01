package vm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
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

// Likewise with Xen below it: the kernel is that of the first domain.
func TestXen(t *testing.T) {
	needsDistro(t, NewXen())
	benchtest.Run(t, NewXen(), benchtest.Options{Slow: true, Init: true, Lacks: distroLacks, Parts: []string{"Names", "Status"}})
	e, out := NewXen(), filepath.Join(t.TempDir(), "out")
	if err := e.Open(within(t, time.Minute), benchtest.Testbed(t)); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	set, _ := bench.Resolve(e, nil)
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	i, err := e.Prepare(t.Context(), bench.Spec{Image: benchtest.Image(t), Settings: set, Command: bench.Command{Argv: []string{"/bin/cat", "/sys/hypervisor/type"}, Stdout: f}})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	ctx := within(t, 4*time.Minute)
	if err := i.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if x, err := i.Wait(ctx); err != nil || x.Code != 0 {
		t.Error(x, err)
	}
	if b, err := os.ReadFile(out); err != nil || string(b) != "xen\n" {
		t.Errorf("/sys/hypervisor/type: %q, %v", b, err)
	}
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
