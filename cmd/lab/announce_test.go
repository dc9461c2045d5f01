package main

import (
	"encoding/json"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"lab/bench"
	"lab/bench/machine"
	"lab/bench/request"
	"lab/bench/results"
	"lab/bench/runs"
	"lab/scenarios"
)

// announced is what a job with these cells says before it runs.
func announced(t *testing.T, j *runs.Job, cells ...results.Cell) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	(&console{app: newApp(nil, nil, w, w)}).Plan(j, cells)
	w.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// All sessions are told of once, trials of an earlier process are left out of
// the time, and a limit is never passed.
func TestAnnounce(t *testing.T) {
	cells := []results.Cell{{Env: "host", Trials: 6, Warmup: 1, Expect: 10}, {Env: "vm", NotRun: &results.NotRun{Reason: "no kernel", Cure: "make setup"}}}
	j := &runs.Job{Scenario: "cpu", Options: bench.Options{Request: request.Request{Sessions: 3}}, Session: 1, Manifest: results.Manifest{Seed: 7}}
	want := "lab: vm can't run: no kernel; make setup\nlab: cpu: host; 18 trials and 3 warm-ups in shuffled order, in 3 sessions, seed 7; at least 4 min\nlab: a trial takes at least: host 10 s\n"
	if got := announced(t, j, cells...); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	j.Session = 2
	if got := announced(t, j, cells...); got != "" {
		t.Errorf("before the second session: %s", got)
	}
	j = &runs.Job{Scenario: "cpu", Manifest: results.Manifest{Seed: 7}, Done: []results.Line{
		{Env: "host", N: 1}, {Env: "host", N: 1, Last: true}, {Env: "host", N: 1, Last: true, Warmup: true}, {Env: "host", N: 1, Last: true, Repeated: true}}}
	if got := announced(t, j, cells[0]); !strings.Contains(got, "6 trials and 1 warm-up in shuffled order, seed 7; there are 2 already; at least 50 s\n") {
		t.Errorf("gone on with: %s", got)
	}
	if got := announced(t, &runs.Job{}, cells[1]); strings.Contains(got, "at least") {
		t.Errorf("nothing can run: %s", got)
	}
	// Rows of one environment are told of together.
	many := append(cells, results.Cell{Env: "host", N: 4, Expect: 20, Trials: 1}, results.Cell{Env: "chroot", Expect: 0.5, Trials: 1}, results.Cell{Env: "chroot", Expect: 0.52, Trials: 1})
	if got := announced(t, &runs.Job{}, many...); !strings.HasSuffix(got, "a trial takes at least: host 10 s to 20 s, chroot 0.5 s\n") {
		t.Errorf("rows together: %s", got)
	}
	for want, x := range map[string]request.Request{
		"at least 50 s":      {MaxTime: request.Span(time.Hour)},
		"at most about 30 s": {MaxTime: request.Span(40 * time.Second)},
		"at least 50 s, and up to 11 min for --precision": {Precision: 0.02, MaxTime: request.Span(11*time.Minute + 10*time.Second)},
	} {
		if got := within(50*time.Second, &x, 10*time.Second); got != want {
			t.Errorf("%+v: %s, want %s", x, got, want)
		}
	}
}

// What the trials can't tell is said before they are made; and as every scenario
// plans them, in a first look too, rows without a kernel of their own can tell.
func TestAnnounceTooFew(t *testing.T) {
	cells := []results.Cell{{Env: "host", Trials: 3}, {Env: "container", Trials: 3}, {Env: "vm", Trials: 6}}
	got := announced(t, &runs.Job{Scenario: "startup"}, cells...)
	if !strings.Contains(got, "lab: host, container: 3 trials can't tell a difference, however large: 6 would\n") || strings.Contains(got, "vm: 6") {
		t.Errorf("three trials: %s", got)
	}
	if got := announced(t, &runs.Job{Scenario: "startup"}, cells[0]); strings.Contains(got, "can't tell") || strings.Contains(got, "warm-up") {
		t.Errorf("one row: %s", got)
	}
	if got := announced(t, &runs.Job{Scenario: "startup"}, cells[:2]...); !strings.Contains(got, "lab: each of the 2 rows: 3 trials can't tell") {
		t.Errorf("all alike: %s", got)
	}
	var many []results.Cell // 24 rows against one
	for i := range 25 {
		many = append(many, results.Cell{Env: "host", Variant: map[string]string{"net": strconv.Itoa(i)}, Trials: 6})
	}
	if got = announced(t, &runs.Job{Scenario: "startup"}, many...); !strings.Contains(got, "6 trials can't tell a difference, however large: 7 would") {
		t.Errorf("24 comparisons of 6 trials: %s", got)
	}
	if got = announced(t, &runs.Job{Scenario: "startup", Options: bench.Options{Request: request.Request{Sessions: 2}}, Session: 1}, many...); strings.Contains(got, "can't tell") {
		t.Errorf("in two sessions: %s", got)
	}
	for _, s := range scenarios.All() {
		for _, quick := range []bool{true, false} {
			var cells []results.Cell
			for _, c := range s.Cells(bench.Options{Known: known(), Request: request.Request{Quick: quick}}) {
				if !c.Guest {
					cells = append(cells, results.Cell{Env: c.Env, Variant: c.Variant, N: c.N, Trials: c.Trials})
				}
			}
			if few := tooFew(&runs.Job{Scenario: s.Name}, cells); len(few) > 0 {
				t.Errorf("%s, quick %v: %s", s.Name, quick, few)
			}
		}
	}
}

// What each scenario writes into a manifest is what the published schema allows.
func TestScenariosFollowTheSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../bench/results/schema/manifest.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(scenarios.All(), scenarios.Calibration()...) {
		data, err := json.Marshal(results.Manifest{Format: results.Format, Accel: "auto", Scenario: s.Name, Question: s.Question, Method: s.Method,
			Metrics: s.Metrics, Figures: s.Figures, Findings: s.Findings, Command: []string{}, Cells: []results.Cell{}})
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
}

// What a scenario's trials are said to bring about by themselves are taints that
// there are.
func TestMakes(t *testing.T) {
	for _, s := range scenarios.All() {
		for _, c := range s.Cells(bench.Options{Known: known()}) {
			for _, name := range c.Makes {
				if name != bench.TwoClocks && !slices.ContainsFunc(machine.Explained, func(x struct{ Name, Means string }) bool { return x.Name == name }) {
					t.Errorf("%s: %s makes %q, which is no taint", s.Name, c.Env, name)
				}
			}
		}
	}
}

// Many rows are counted by environment, where that has several.
func TestNamed(t *testing.T) {
	few := []string{"host", "container net=none", "container net=bridge"}
	if got, want := named(few), "host, container net=none, container net=bridge"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	many := append(few, "chroot", "vm", "vm-bare", "uml", "crun", "runc")
	if got, want := named(many), "9 rows (host, container 2, chroot, vm, vm-bare, uml, crun, runc)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
