package engine_test

import (
	"context"
	"fmt"
	"testing"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/engine"
	"lab/bench/results"
)

// A further session goes on with the trials' and the blocks' numbers, says which
// one it is, and has an order of its own.
func TestSessions(t *testing.T) {
	order := func(session, trial, block int) (text string, last []results.Line) {
		r := &engine.Runner{Scenario: startup(cell("a", 8, 1), cell("b", 8, 1)), Seed: 7, Session: session, FirstTrial: trial, FirstBlock: block,
			Envs: []bench.Environment{&benchtest.Fake{Label: "a"}, &benchtest.Fake{Label: "b"}}}
		outcome, trials := run(t, context.Background(), r)
		if outcome != engine.Complete || len(trials) != 18 {
			t.Fatalf("%s, %d trials", outcome, len(trials))
		}
		for i, lines := range trials {
			l := lines[0]
			if l.Session != session || l.Trial != trial+i || l.Block < block || l.Block > block+8 {
				t.Errorf("session %d: %+v", session, l)
			}
			text += fmt.Sprint(l.Env, " ")
		}
		return text, trials[len(trials)-1]
	}
	one, last := order(1, 0, 0)
	two, _ := order(2, last[0].Trial+1, last[0].Block+1)
	if again, _ := order(1, 0, 0); again != one {
		t.Errorf("the same session has another order:\n%s\n%s", one, again)
	}
	if one == two {
		t.Errorf("two sessions have one order: %s", one)
	}
}
