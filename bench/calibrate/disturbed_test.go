package calibrate

import (
	"strings"
	"testing"

	"lab/bench/machine"
	"lab/bench/results"
)

// marked makes a run of made-up trials: n of each disturbance, of which so many
// bear a taint.
func marked(n int, taint map[string]string, of map[string]int) *results.Run {
	run := &results.Run{Dir: "made up"}
	for what := range taint {
		for i := range n {
			l := results.Line{Env: "host", Variant: map[string]string{"disturb": what}, Trial: len(run.Lines), Taint: []string{}, Last: true}
			if i < of[what] {
				l.Taint = []string{taint[what]}
			}
			run.Lines = append(run.Lines, l)
		}
	}
	return run
}

func TestJudgeDisturbed(t *testing.T) {
	names := map[string]string{"cpu": machine.Pressure, "memory": machine.Memory, "clock": machine.ClockStep, "no": machine.Steal}
	for _, test := range []struct {
		name string
		of   map[string]int
		want [4]string // cpu, memory, clock, left alone
	}{
		{"as wanted", map[string]int{"cpu": 100, "memory": 99, "clock": 100, "no": 2}, [4]string{Yes, Yes, Yes, Yes}},
		{"blind for memory", map[string]int{"cpu": 100, "memory": 90, "clock": 100}, [4]string{Yes, No, Yes, Yes}},
		{"a noisy machine", map[string]int{"cpu": 100, "memory": 100, "clock": 100, "no": 40}, [4]string{Yes, Yes, Yes, No}},
		{"nearly", map[string]int{"cpu": 98, "memory": 100, "clock": 100, "no": 4}, [4]string{CantTell, Yes, Yes, CantTell}},
	} {
		checks, err := Judge(Parts{Disturbed: marked(100, names, test.of)})
		if err != nil || len(checks) != 4 {
			t.Fatalf("%s: %d checks, %v", test.name, len(checks), err)
		}
		for i, c := range checks {
			if c.Answer != test.want[i] {
				t.Errorf("%s: %s: %+v", test.name, c.Name, c)
			}
		}
		if n := test.of["no"]; n > 0 && !strings.Contains(checks[3].Measured, machine.Steal) {
			t.Errorf("%s: what marked trials left alone isn't said: %s", test.name, checks[3].Measured)
		}
	}
	// Marked, but by another name: not seen.
	names["memory"] = machine.Pressure
	if checks, err := Judge(Parts{Disturbed: marked(100, names, map[string]int{"memory": 100})}); err != nil || checks[1].Answer != No {
		t.Errorf("%+v, %v", checks, err)
	}
	// Warm-ups don't count.
	run := marked(100, names, nil)
	for i := range run.Lines {
		run.Lines[i].Warmup = true
	}
	if _, err := Judge(Parts{Disturbed: run}); err == nil || !strings.Contains(err.Error(), "made up") {
		t.Error(err)
	}
}
