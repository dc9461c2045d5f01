package foreign

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/image"
	"lab/bench/proc"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

// Programs that make no instance, each in its own way: one clear error, in time, and
// nothing is left.
func TestHostilePrograms(t *testing.T) {
	tb := benchtest.Testbed(t)
	img := benchtest.Image(t)
	was, end := StartWithin, EndWithin
	StartWithin, EndWithin = 500*time.Millisecond, 200*time.Millisecond
	defer func() { StartWithin, EndWithin = was, end }()
	for _, x := range []struct{ name, script, want string }{
		{"ends at once", "exit 0", "ended without an instance (exit status 0)"},
		{"fails", "echo 'no such thing' >&2; exit 3", "ended without an instance (exit status 3): no such thing"},
		{"crashes", "kill -SEGV $$; sleep 1", "was ended by signal 11"},
		{"hangs", "exec sleep 1000", "made no instance in 500ms, and was ended"},
		{"won't end", "trap '' TERM INT HUP; while :; do sleep 1; done", "made no instance in 500ms, and was ended"},
		{"prints without end", `while :; do printf '\033[31mred\n'; done >&2`, "made no instance in 500ms, and was ended"},
		{"leaves daemons", "for i in 1 2 3; do setsid sleep 1001 & done; exit 0", "ended without an instance"},
	} {
		t.Run(x.name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "runtime")
			if err := os.WriteFile(program, []byte("#!/bin/sh\n"+x.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			e := New(Maker{Name: "hostile", Program: program, Cgroup: "none", PIDFile: "pid", Args: func(*Order) []string { return nil }})
			if err := e.Open(t.Context(), tb); err != nil {
				t.Fatal(err)
			}
			i, err := e.Prepare(t.Context(), bench.Spec{Image: img, Command: bench.Command{Argv: []string{image.ReadyPath, "x"}}, Settings: map[string]string{"net": NetHost}})
			if err != nil {
				t.Fatal(err)
			}
			if err := i.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if _, err := i.Wait(ctx); err == nil || !strings.Contains(err.Error(), x.want) || bench.Whose(err) != bench.BlameMachine {
				t.Errorf("Wait: %v (blames %s), want the machine's: …%s", err, bench.Whose(err), x.want)
			} else if len(err.Error()) > mostSaid+200 || strings.Contains(err.Error(), "\033") {
				t.Errorf("%d bytes: %q", len(err.Error()), err)
			}
			if err := i.Close(); err != nil {
				t.Error(err)
			}
			for _, p := range tree(os.Getpid()) {
				if name := proc.Status(p.pid)["Name"]; name == "sleep" || name == "runtime" {
					t.Errorf("%s is left, as %d", name, p.pid)
				}
			}
		})
	}
}

// A program that isn't there is named where the row's name isn't the program's.
func TestMissingProgram(t *testing.T) {
	for name, want := range map[string]string{"no-such-program": "not installed", "other": "no-such-program: not installed"} {
		e := New(Maker{Name: name, Program: "no-such-program", Package: "some-package"})
		for range 2 { // each of its rows asks
			var unfit *bench.UnfitError
			if err := e.Check(t.Context(), bench.Spec{}); !errors.As(err, &unfit) || unfit.Reason != want || unfit.Cure != "apt-get install some-package" {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
	}
}

// A program that dies of a limit that it shares with its workload died of that limit,
// whether it was killed itself or the first process that it made.
func TestProgramOutOfMemory(t *testing.T) {
	tb := benchtest.Testbed(t)
	img := benchtest.Image(t)
	const eats = "s=0123456789; while :; do s=$s$s; done"
	for name, script := range map[string]string{"itself": eats, "its child": "(" + eats + "); echo container init was killed >&2; exit 1"} {
		t.Run(name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "runtime")
			if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			e := New(Maker{Name: "hungry", Program: program, PIDFile: "pid", Args: func(*Order) []string { return nil }})
			if err := e.Open(t.Context(), tb); err != nil {
				t.Fatal(err)
			}
			limits := bench.Limits{Memory: 32 << 20}
			if err := bench.CheckLimits(tb, limits); err != nil {
				t.Skip("SKIPPED: ", err)
			}
			i, err := e.Prepare(t.Context(), bench.Spec{Image: img, Command: bench.Command{Argv: []string{image.ReadyPath, "x"}}, Settings: map[string]string{"net": NetHost}, Limits: limits})
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			if err := i.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if x, err := i.Wait(ctx); err != nil || !x.OOM || x.Status() != 137 {
				t.Errorf("Wait: %v, %v, want it killed for want of memory, status 137", x, err)
			}
		})
	}
}
