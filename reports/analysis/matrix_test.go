package analysis

import (
	"strings"
	"testing"

	"lab/bench/results"
	"lab/bench/stats"
)

// answered is a run in which a probe has one answer each trial.
func answered(t *testing.T, of map[string][]float64) *Analysis {
	t.Helper()
	run := &results.Run{Manifest: results.Manifest{
		Metrics: []results.Metric{{Name: "p", Title: "a probe", Unit: "1", Words: []string{"neither", "sees", "changes"}}},
		Figures: []results.Figure{{Name: "all", Kind: KindMatrix, Metrics: []string{"p"}}, {Name: "flips", Kind: KindMatrix, Metrics: []string{"p"}, To: "container"}},
		Findings: []results.Finding{{Name: "f", Metric: "p", Of: "container", Compare: "value", Op: "below", Threshold: 0.5, Plain: true},
			{Name: "g", Metric: "p", Of: "vm", Compare: "value", Op: "below", Threshold: 0.5}},
	}}
	n := 0
	for _, c := range []results.Cell{{Env: "host"}, {Env: "container"}, {Env: "container", Variant: map[string]string{"pid": "no"}}, {Env: "vm", Settings: map[string]string{"accel": "tcg"}}} {
		run.Manifest.Cells = append(run.Manifest.Cells, c)
		for _, v := range of[c.Label()] {
			n++
			run.Lines = append(run.Lines, results.Line{Env: c.Env, Variant: c.Variant, N: 1, Trial: n, Metric: "p", Value: &v, Unit: "1"})
		}
	}
	return Of(run)
}

func TestMatrix(t *testing.T) {
	a := answered(t, map[string][]float64{"host": {2, 2}, "container": {0, 0}, "container pid=no": {1, 1}, "vm": {0, 0}})
	if len(a.Metrics) != 0 || len(a.Answers) != 1 {
		t.Fatal("an answer isn't a quantity")
	}
	m := a.Matrix(a.Run.Manifest.Figures[0])
	if len(m.Cells) != 3 || len(m.Rows) != 1 || m.Rows[0].Answers[0].Word != "changes" {
		t.Errorf("%+v", m)
	}
	m = a.Matrix(a.Run.Manifest.Figures[1])
	if len(m.Cells) != 2 || len(m.Rows) != 1 || !m.Rows[0].Answers[1].Flips {
		t.Errorf("%+v", m)
	}
	// Two trials that agree decide, in an emulated guest, too; the row with a
	// variant isn't what a plain finding is of.
	if len(a.Verdicts) != 2 || a.Verdicts[0].Outcome != Holds || a.Verdicts[1].Outcome != Holds {
		t.Errorf("%+v", a.Verdicts)
	}
	a = answered(t, map[string][]float64{"host": {2, 2}, "container": {0, 1}, "container pid=no": {0, 0}, "vm": {1, 1}})
	if a.Verdicts[0].Outcome != Undecided || a.Verdicts[1].Outcome != Fails {
		t.Errorf("%s, %s", a.Verdicts[0].Outcome, a.Verdicts[1].Outcome)
	}
	if x := a.Matrix(a.Run.Manifest.Figures[0]).Rows[0].Answers[1]; !x.Differs || x.Level != 1 {
		t.Errorf("%+v", x)
	}
}

// One answer of many that is another decides as little as one of two: what is said of each
// trial isn't said of the middle one.
func TestOneOfManyDiffers(t *testing.T) {
	many := make([]float64, 20)
	many[7] = 1
	a := answered(t, map[string][]float64{"container": many, "vm": make([]float64, 20)})
	if v := a.Verdicts[0]; v.Outcome != Undecided || !strings.Contains(v.Said.String(), "the trials differ") {
		t.Errorf("%s: %s", v.Outcome, v.Said)
	}
	if v := a.Verdicts[1]; v.Outcome != Holds || !strings.Contains(v.Said.String(), "all 20 trials") {
		t.Errorf("%s: %s", v.Outcome, v.Said)
	}
}

// An answer's middle is its word, of trials that differ both.
func TestMiddleInWords(t *testing.T) {
	m := results.Metric{Unit: "1", Words: []string{"no", "yes"}}
	for want, x := range map[string]stats.Interval{"yes": {Point: 1, Lo: 1, Hi: 1}, "no": {}, "no / yes": {Point: 0.5, Hi: 1}} {
		if got := Middle(m, &Sample{Median: x}); got != want {
			t.Errorf("%+v is %q, want %q", x, got, want)
		}
	}
}
