package reports

import (
	"bytes"
	"encoding/json"
	"testing"

	"lab/bench/results"
	"lab/reports/page"
)

// Whatever a folder holds that the reader lets pass, a report comes of it, or
// an error: no panic, no endless loop.
func FuzzReport(f *testing.F) {
	add := func(run *results.Run) {
		manifest, err := json.Marshal(run.Manifest)
		if err != nil {
			f.Fatal(err)
		}
		var trials bytes.Buffer
		for _, l := range run.Lines[:min(len(run.Lines), 40)] {
			l.Last = true
			if err := json.NewEncoder(&trials).Encode(l); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(manifest, trials.Bytes())
	}
	add(synthetic(6))
	add(&results.Run{})
	f.Fuzz(func(t *testing.T, manifest, trials []byte) {
		run := &results.Run{}
		if json.Unmarshal(manifest, &run.Manifest) != nil {
			return
		}
		var err error
		if run.Lines, run.Dropped, err = results.ReadTrials(bytes.NewReader(trials)); err != nil {
			return
		}
		if len(run.Lines) > 200 || len(run.Manifest.Cells) > 50 {
			return
		}
		Files(run)
		Terminal(&bytes.Buffer{}, run, page.Options{Width: 60})
	})
}

// Any values that a float64 can hold, in two cells.
func FuzzValues(f *testing.F) {
	f.Add(1e-3, 2e-3, 3e-3, true)
	f.Add(0.0, -1.0, 1e308, false)
	f.Add(5e-324, 5e-324, 1e-300, true)
	f.Add(1e15, 1e15+1, 1e15+2, false)
	f.Fuzz(func(t *testing.T, a, b, c float64, log bool) {
		run := &results.Run{Manifest: results.Manifest{Figures: []results.Figure{
			{Name: "d", Kind: "distribution", Metrics: []string{"m"}, Log: log},
			{Name: "p", Kind: "phases", Metrics: []string{"m"}}},
			Findings: []results.Finding{{Of: "x", To: "host", Metric: "m", Compare: "ratio", Op: "within", Threshold: a},
				{Of: "x", Metric: "m", Compare: "share", Part: "q", Op: "below", Threshold: b}}}}
		for i := range 8 {
			for j, v := range []float64{a, b} {
				part := c
				env := []string{"host", "x"}[j]
				l := results.Line{Env: env, N: 1, Trial: 2*i + j, Metric: "m", Value: &v, Unit: []string{"s", "B"}[i%2]}
				q := l
				q.Metric, q.PartOf, q.Value = "q", "m", &part
				run.Lines = append(run.Lines, l, q)
			}
		}
		if _, err := json.Marshal(run.Lines); err != nil {
			return // NaN and Inf can't be in a folder
		}
		if _, err := Files(run); err != nil {
			t.Fatal(err)
		}
		if err := Terminal(&bytes.Buffer{}, run, page.Options{}); err != nil {
			t.Fatal(err)
		}
	})
}
