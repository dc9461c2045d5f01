package runs

import (
	"math"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/request"
	"lab/bench/results"
)

// An earlier run tells what a trial takes; in a first look its parts are
// shorter, by what the scenario expects of both.
func TestTook(t *testing.T) {
	then := &results.Run{Dir: "then", Manifest: results.Manifest{Scenario: "cpu", Accel: "auto", Quick: true, Asked: &results.Asked{Variant: request.Settings{"net": {"none"}}},
		Cells: []results.Cell{{Env: "host", N: 1, Expect: 1.5}}}}
	for i, at := range []float64{0, 2, 4, 6.5} {
		then.Lines = append(then.Lines, results.Line{Env: "host", N: 1, Trial: i, At: at, Last: true})
	}
	before := []*results.Run{then}
	j := &Job{Options: bench.Options{Request: request.Request{Variant: request.Settings{"net": {"none"}}, Accel: "auto"}}}
	took := func(c bench.Cell, j *Job) PredictedCell {
		x := PredictedCell{Cell: results.Label(c.Env, c.Variant, c.N)}
		x.setTimes(before, "cpu", c, j)
		return x
	}
	for expect, want := range map[time.Duration]float64{1500 * time.Millisecond: 2, 3 * time.Second: 3.5} {
		if x := took(bench.Cell{Env: "host", Expect: expect}, j); x.Seconds == nil || *x.Seconds != want || x.From != "then" || x.Like != "" {
			t.Errorf("expected %v: %+v, want %v", expect, x, want)
		}
	}
	// A row that wasn't there is like another one of its environment.
	if x := took(bench.Cell{Env: "host", N: 4, Expect: 6 * time.Second}, j); x.Seconds == nil || math.Round(*x.Seconds*1000) != 6512 || x.Like != "host" { // three starts more
		t.Errorf("four at a time: %+v", x)
	}
	if x := took(bench.Cell{Env: "vm"}, j); x.Seconds != nil {
		t.Errorf("another environment: %+v", x)
	}
	for name, j := range map[string]*Job{
		"another setting":     {Options: bench.Options{Request: request.Request{Variant: request.Settings{"net": {"host"}}}}},
		"no setting":          {},
		"other processors":    {Options: bench.Options{Request: request.Request{Variant: j.Options.Variant, CPUs: "0"}}},
		"another accelerator": {Options: bench.Options{Request: request.Request{Variant: j.Options.Variant, Accel: "tcg"}}},
	} {
		if x := took(bench.Cell{Env: "host", Expect: time.Second}, j); x.Seconds != nil {
			t.Errorf("%s: %v", name, *x.Seconds)
		}
	}
}

// On a machine that the probe found slower, starts are guessed to take longer.
func TestGuess(t *testing.T) {
	vm := func(accel string) results.Cell {
		return results.Cell{Env: "vm", N: 2, Expect: 1, Settings: map[string]string{"accel": accel}}
	}
	slow := results.Acceleration{TCGPace: results.Pace{Ring0: usual / 10}, KVMPace: results.Pace{Ring0: usual / 5}}
	for _, x := range []struct {
		cell  results.Cell
		found results.Acceleration
		want  time.Duration
	}{
		{results.Cell{Env: "host"}, results.Acceleration{}, 4 * time.Millisecond},
		{results.Cell{Env: "host"}, slow, 40 * time.Millisecond},
		{vm("tcg"), results.Acceleration{TCGPace: results.Pace{Ring0: 2 * usual}}, 4400 * time.Millisecond},
		{vm("tcg"), slow, 35 * time.Second},
		{vm("kvm"), slow, 11 * time.Second},
	} {
		if got := Guess(x.cell, x.found); (got - x.want).Abs() > time.Microsecond {
			t.Errorf("%+v: %v, want %v", x, got, x.want)
		}
	}
}

// Of a run of pairs the first row is made with each of the others, and none has fewer
// pairs than can tell anything.
func TestPredictPairs(t *testing.T) {
	sc := func(string) *bench.Scenario {
		return &bench.Scenario{Name: "toy", Cells: func(bench.Options) []bench.Cell {
			return []bench.Cell{{Env: "a", Trials: 6, Warmup: 1}, {Env: "b", Trials: 6, Warmup: 1}, {Env: "c", Trials: 6, Warmup: 1}}
		}}
	}
	p := Parts{Environments: func(...string) []bench.Environment { return nil }, Scenario: sc}
	for _, x := range []struct {
		asked request.Request
		want  []int
	}{
		{request.Request{Paired: true}, []int{20, 10, 10}},
		{request.Request{Paired: true, Trials: 7}, []int{14, 7, 7}},
		{request.Request{}, []int{6, 6, 6}},
	} {
		j := &Job{Options: bench.Options{Request: x.asked}}
		got := j.Predict(p, "toy", nil)
		for i, c := range got.Cells {
			if c.Trials != x.want[i] || x.asked.Paired != (got.Planned[i].With == "a") && i > 0 {
				t.Errorf("%+v: %s has %d trials with %q, want %d", x.asked, c.Cell, c.Trials, got.Planned[i].With, x.want[i])
			}
		}
	}
}
