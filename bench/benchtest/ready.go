package benchtest

import (
	"testing"

	"lab/bench"
	"lab/bench/clock"
)

// A start on the clock: its end, and the marks on the way.

// ready is the startup scenario's own trial.
func (s *suite) ready(t *testing.T) {
	for range s.rounds(5) {
		token := bench.Token()
		i := s.prepareOne(t, s.spec(t, bench.Command{Argv: []string{readyPath, token}}))
		if i.Ready() != nil {
			t.Error("Ready isn't nil before Start")
		}
		before := clock.Now()
		if err := i.Start(s.context(t)); err != nil {
			t.Fatalf("Start: %v", err)
		}
		seen := s.await(t, i, token)
		if seen.At < before || seen.At > clock.Now() { // a clock may have long ticks
			t.Errorf("ready at %d, outside of [%d, now]", seen.At, before)
		}
		if _, lacks := s.opts.Lacks[Status]; !lacks {
			if exit := s.wait(t, i); exit.Status() != 0 {
				t.Errorf("%v, want status 0", exit)
			}
		}
		if err := i.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

func (s *suite) marks(t *testing.T) {
	token := bench.Token()
	i := s.prepareOne(t, s.spec(t, bench.Command{Argv: []string{readyPath, token}}))
	tr, ok := i.(bench.Tracer)
	if !ok {
		t.Skipf("SKIPPED: %s is no bench.Tracer: its start has no phases", s.env.Name())
	}
	before := clock.Now()
	if err := i.Start(s.context(t)); err != nil {
		t.Fatalf("Start: %v", err)
	}
	started := clock.Now()
	seen := s.await(t, i, token)
	if tr.Started() < before || tr.Started() > started {
		t.Errorf("Started %d lies outside of the call of Start, [%d, %d]", tr.Started(), before, started)
	}
	if len(tr.Marks()) == 0 {
		t.Error("no marks")
	}
	last := tr.Started()
	names := map[string]bool{}
	for _, m := range tr.Marks() {
		if m.At < last {
			t.Errorf("mark %s is %v earlier than the one before it", m.Name, last.Sub(m.At))
		}
		if m.Name == "" || names[m.Name] {
			t.Errorf("mark %q: no name, or one that was there before", m.Name)
		}
		names[m.Name], last = true, m.At
	}
	// The last mark of a local process is made by the parent once exec has
	// happened, while the child runs: it may be a little after the first
	// byte, never after Start's return and the first byte both.
	if last > max(seen.At, started) {
		t.Errorf("the last mark is %v later than the token", last.Sub(seen.At))
	}
}
