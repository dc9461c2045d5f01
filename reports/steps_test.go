package reports

import (
	"math"
	"slices"
	"strings"
	"testing"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/plot"
)

// staircase is a made-up run: host, a container, the container built up in two
// steps of 1 and 2 ms, and the one without its second, which saves the 2 ms.
func staircase(trials int) *results.Run {
	run := &results.Run{Manifest: results.Manifest{Format: results.Format, ID: "5e00000000000003", Lab: "v0-synthetic", Scenario: "anatomy",
		Question: "SYNTHETIC DATA, made up for tests?", Seed: 7, Outcome: "complete",
		Environments: []results.Environment{{Name: "host"}, {Name: "container"}, {Name: "vm", Guest: true}},
		Metrics:      []results.Metric{{Name: "ready", Title: "Time until ready", Unit: "s", Better: "lower", Help: "Made up."}},
		Figures: []results.Figure{
			{Name: "up", Title: "Up", Kind: "steps", By: "up-to", Metrics: []string{"ready"}, Caption: "SYNTHETIC DATA, made up for tests."},
			{Name: "out", Title: "Out", Kind: "steps", By: "without", To: "container", Metrics: []string{"ready"}, Caption: "SYNTHETIC DATA, made up for tests."},
			{Name: "all", Title: "All", Kind: "distribution", Metrics: []string{"ready"}, Caption: "SYNTHETIC DATA, made up for tests."}}}}
	for trial, r := range []struct {
		env       string
		key, name string
		ms        float64
	}{{"host", "", "", 1}, {"container", "", "", 4}, {"container", "up-to", "a", 2}, {"container", "up-to", "b", 4}, {"container", "without", "b", 2}, {"vm", "", "", 900}} {
		c := results.Cell{Env: r.env, N: 1, Trials: trials, Variant: map[string]string{}, Settings: map[string]string{}}
		if r.key != "" {
			c.Variant[r.key] = r.name
		}
		run.Manifest.Cells = append(run.Manifest.Cells, c)
		for i := range trials {
			v := (r.ms + 0.01*math.Sin(float64(i*7+trial))) / 1000
			run.Lines = append(run.Lines, results.Line{ID: run.Manifest.ID, Scenario: "anatomy", Env: r.env, Variant: c.Variant, N: 1, Block: i, Trial: i*10 + trial,
				Metric: "ready", Value: &v, Unit: "s", Better: "lower", Samples: 1, Last: true})
		}
	}
	return run
}

// A staircase begins with what has no variant and no kernel of its own, and each of
// its rows adds to the one before it; where all are set beside one row, each adds to
// that. Other figures have none of these rows.
func TestSteps(t *testing.T) {
	a := analysis.Of(folder(t, staircase(30), t.TempDir()))
	for _, f := range a.Run.Manifest.Figures {
		var rows []string
		for _, c := range a.FigureCells(f) {
			base := "nothing"
			if b := a.FigureBase(f, c); b != nil && f.Kind == analysis.KindSteps {
				base = b.Cell.Label()
			}
			rows = append(rows, c.Cell.Label()+" beside "+base)
		}
		want := map[string][]string{
			"up":  {"host beside nothing", "container up-to=a beside host", "container up-to=b beside container up-to=a"},
			"out": {"container without=b beside container"},
			"all": {"host beside nothing", "container beside nothing", "vm beside nothing"},
		}[f.Name]
		if !slices.Equal(rows, want) {
			t.Errorf("%s: %q, want %q", f.Name, rows, want)
		}
	}
	files, err := plot.Draw(a, msg.English())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		for _, want := range map[string][]string{"up.svg": {"+1.00 ms", "+2.00 ms", ">container up-to=b<"}, "out.svg": {"−2.00 ms", ">container without=b<"}}[f.Name] {
			if !strings.Contains(string(f.Data), want) {
				t.Errorf("%s doesn't say %q", f.Name, want)
			}
		}
	}
}
