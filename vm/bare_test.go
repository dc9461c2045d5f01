package vm

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/clock"
	"lab/bench/image"
)

// The machine without an operating system runs under emulation, and under KVM
// wherever there is a device: this is how libvirt's type 'kvm' is tested on
// machines whose KVM can't boot a kernel.
func TestBare(t *testing.T) {
	tb := benchtest.Testbed(t)
	e := NewBare()
	if err := e.Open(within(t, time.Minute), tb); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, v := range []string{"tcg seabios", "tcg qboot", "kvm qboot"} {
		accel, firmware, _ := strings.Cut(v, " ")
		t.Run(v, func(t *testing.T) {
			token := bench.Token()
			set, err := bench.Resolve(e, map[string]string{"accel": accel, "firmware": firmware})
			if err != nil {
				t.Fatal(err)
			}
			s := bench.Spec{Image: image.Ref{Dir: t.TempDir()}, Settings: set,
				Command: bench.Command{Argv: []string{image.ReadyPath, token}}}
			if err := e.Check(context.Background(), s); errors.Is(err, bench.ErrUnavailable) {
				t.Skipf("SKIPPED: %v", err)
			} else if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				i := start(t, e, s)
				seen, err := clock.AwaitToken(i.Ready(), []byte(token), 30*time.Second)
				if err != nil {
					t.Fatal(i.Explain(err))
				}
				at := i.Started()
				for _, m := range i.Marks() {
					t.Logf("%-10s %v", m.Name, m.At.Sub(at))
					at = m.At
				}
				exit, err := i.Wait(within(t, 30*time.Second))
				t.Logf("ready after %v, ended after %v", seen.At.Sub(i.Started()), exit.At.Sub(i.Started()))
				if err != nil || exit.Status() != 0 {
					t.Errorf("%v, %v", exit, err)
				}
				if err := i.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	set, _ := bench.Resolve(e, nil)
	if _, err := e.Prepare(context.Background(), bench.Spec{Settings: set, Command: bench.Command{Argv: []string{"/bin/sh"}}}); !errors.Is(err, bench.ErrNotApplicable) {
		t.Errorf("a program: %v, want ErrNotApplicable", err)
	}
}
