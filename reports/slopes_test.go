package reports

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/plot"
)

// totals is a made-up run of a scenario whose instances are counted: host and
// container, whose totals rise by 1 and by 3 MiB for each further instance, and an
// emulated guest that rises by 90. The host's begin below zero.
func totals(trials int) *results.Run {
	run := &results.Run{Manifest: results.Manifest{Format: results.Format, ID: "5e00000000000002", Lab: "v0-synthetic", Scenario: "memory",
		Question: "SYNTHETIC DATA, made up for tests?", Seed: 7, Outcome: "complete",
		Metrics: []results.Metric{{Name: "all", Title: "Memory of all instances", Unit: "B", Better: "lower", Help: "Made up."}},
		Figures: []results.Figure{{Name: "slope", Title: "What each further instance costs", Kind: "slopes", Metrics: []string{"all"}, Caption: "SYNTHETIC DATA, made up for tests."}},
		Findings: []results.Finding{
			{Name: "near", Statement: "A container costs 2 MiB more.", Metric: "all", Of: "container", To: "host", Compare: "slope", Op: "below", Threshold: 2.5 * (1 << 20), Reason: "made up"},
			{Name: "far", Statement: "A container costs 1 MiB more.", Metric: "all", Of: "container", To: "host", Compare: "slope", Op: "below", Threshold: 1 << 20, Reason: "made up"},
			{Name: "alone", Statement: "A process costs a MiB.", Metric: "all", Of: "host", Compare: "slope", Op: "above", Threshold: 0.5 * (1 << 20), Reason: "made up"},
			{Name: "vm", Statement: "A VM costs more.", Metric: "all", Of: "vm", To: "host", Compare: "slope", Op: "above", Threshold: 1 << 20, Reason: "made up", NeedsKVM: true},
		}}}
	trial := 0
	for _, e := range []struct {
		env        string
		begin, one float64
		accel      string
	}{{"host", -2, 1, ""}, {"container", 1, 3, ""}, {"vm", 60, 90, "tcg"}} {
		for _, n := range []int{1, 2, 4} {
			c := results.Cell{Env: e.env, N: n, Trials: trials, Variant: map[string]string{}, Settings: map[string]string{"accel": e.accel}}
			if e.accel != "" && n == 4 {
				c.NotRun = &results.NotRun{Kind: "unavailable", Reason: "too little memory", Cure: "more"}
			}
			run.Manifest.Cells = append(run.Manifest.Cells, c)
			for i := range trials {
				if c.NotRun != nil {
					break
				}
				v := (e.begin + e.one*float64(n) + 0.05*math.Sin(float64(trial))) * (1 << 20)
				l := results.Line{ID: run.Manifest.ID, Scenario: "memory", Env: e.env, Variant: c.Variant, N: n, Block: i, Trial: trial,
					Metric: "all", Value: &v, Unit: "B", Better: "lower", Samples: 1, Last: true}
				if i == 3 {
					l.Taint = []string{"cpu pressure"}
				}
				run.Lines = append(run.Lines, l)
				trial++
			}
		}
	}
	return run
}

// What one more instance costs is found, judged and told; a guest under emulation
// is drawn and compared with nothing.
func TestSlopes(t *testing.T) {
	a := analysis.Of(folder(t, totals(10), t.TempDir()))
	s := summarize(a)
	if len(s.Slopes) != 3 {
		t.Fatalf("%d slopes: %+v", len(s.Slopes), s.Slopes)
	}
	for i, want := range []float64{1, 3, 90} {
		x := s.Slopes[i]
		if got := x.Slope.Value / (1 << 20); math.Abs(got-want) > 0.05 || x.Slope.Lo > x.Slope.Value || x.Slope.Hi < x.Slope.Value {
			t.Errorf("%s: %+v, not %v MiB", x.Label, x.Slope, want)
		}
		if x.Emulated != (x.Label == "vm") || fmt.Sprint(x.Instances) != map[bool]string{true: "[1 2]", false: "[1 2 4]"}[x.Emulated] {
			t.Errorf("%+v", x)
		}
	}
	outcomes := ""
	for _, v := range s.Verdicts {
		outcomes += v.Outcome + "; "
	}
	if outcomes != "holds; doesn't hold; holds; can't be measured here; " {
		t.Errorf("verdicts: %s", outcomes)
	}
	page := markdown(a)
	for _, want := range []string{
		"| container | 1, 2, 4 | +3.", "| host | 1, 2, 4 | +1.00 | 0.983 to 1.02 | baseline |", "| vm, TCG (emulated) | 1, 2 | +90", "not compared",
		"per additional instance of container, minus the same of host: 2.0",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("report.md has no %q", want)
		}
	}
}

// A run without the rows of a slope lacks these, whichever of the two they are.
func TestSlopesLackRows(t *testing.T) {
	for _, env := range []string{"container", "host"} {
		run := totals(10)
		run.Manifest.Cells = slices.DeleteFunc(run.Manifest.Cells, func(c results.Cell) bool { return c.Env == env })
		run.Lines = slices.DeleteFunc(run.Lines, func(l results.Line) bool { return l.Env == env })
		if v := analysis.Of(folder(t, run, t.TempDir())).Verdicts[0]; v.Outcome != analysis.Unmeasured || v.Lacks != analysis.LacksRow {
			t.Errorf("without %s: %s, lacks %q", env, v.Outcome, v.Lacks)
		}
	}
}

// With too few trials there is a range, and no verdict.
func TestSlopesFew(t *testing.T) {
	s := summarize(analysis.Of(folder(t, totals(2), t.TempDir())))
	for _, x := range s.Slopes {
		if x.Slope.Method != "range" {
			t.Errorf("%+v", x)
		}
	}
	for _, v := range s.Verdicts {
		if v.Outcome != analysis.Undecided && v.Outcome != analysis.Unmeasured {
			t.Errorf("%s: %s", v.Name, v.Outcome)
		}
	}
}

// The plot is drawn twice the same, with what it must say; LAB_PLOTS keeps it.
func TestSlopesPlot(t *testing.T) {
	a := analysis.Of(folder(t, totals(10), t.TempDir()))
	files, err := plot.Draw(a, msg.English())
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	again, err := plot.Draw(a, msg.English())
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		if !bytes.Equal(f.Data, again[i].Data) {
			t.Errorf("%s isn't the same twice", f.Name)
		}
		if dir := os.Getenv("LAB_PLOTS"); dir != "" {
			os.WriteFile(dir+"/"+strings.ReplaceAll(f.Name, "/", "-"), f.Data, 0o644)
		}
		if strings.HasSuffix(f.Name, ".svg") {
			for _, want := range []string{"container", "per additional instance", "TCG", "instances at a time", "0"} {
				if !bytes.Contains(f.Data, []byte(want)) {
					t.Errorf("%s has no %q", f.Name, want)
				}
			}
		}
	}
}
