package vm

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/image"
)

// restoredSpec is a workload in a guest that is restored.
func restoredSpec(t *testing.T, e *Env, argv ...string) bench.Spec {
	t.Helper()
	s := spec(t, e, argv...)
	s.Settings["start"] = "restored"
	s.Command.Env = []string{"PATH=/bin"}
	return s
}

func TestRestored(t *testing.T) {
	e := open(t)
	for k := range 3 {
		token := bench.Token()
		i := start(t, e, restoredSpec(t, e, image.ReadyPath, token))
		seen, err := clock.AwaitToken(i.Ready(), []byte(token), 30*time.Second)
		if err != nil {
			t.Fatal(i.Explain(err))
		}
		var names []string
		at := i.Started()
		for _, m := range i.Marks() {
			t.Logf("%-10s %v", m.Name, m.At.Sub(at))
			names, at = append(names, m.Name), m.At
		}
		t.Logf("%d: ready after %v; the clock was set forward by %v", k, seen.At.Sub(i.Started()), i.session.jump)
		if got := strings.Join(names, " "); got != "prepare libvirt qemu restore resume exec" {
			t.Errorf("marks %q", got)
		}
		exit, err := i.Wait(within(t, 30*time.Second))
		if err != nil || exit.Status() != 0 {
			t.Errorf("%v, %v", exit, err)
		}
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	}
	if d, err := e.domains(); err != nil || len(d["domain"]) != 0 {
		t.Errorf("domains %v, %v", d, err)
	}
	if len(e.states) != 1 {
		t.Errorf("%d saved states, want one", len(e.states))
	}
}
var _ = fmt.Sprint
var _ = io.EOF
