package reports_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"lab/bench/results"
	"lab/reports"
	"lab/reports/page"
)

// From a results folder's first line to its report: what `lab run` does after
// the trials, and all that `lab report` does. The times are made up.
func Example() {
	parent, err := os.MkdirTemp("", "lab-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(parent)
	dir := filepath.Join(parent, "run")

	uid, gid := os.Getuid(), os.Getgid()
	folder, err := results.Create(dir, uid, gid, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer folder.Close()
	w, err := results.NewWriter(folder, uid, gid)
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	err = w.Manifest(&results.Manifest{
		Format: results.Format, Scenario: "startup", Outcome: "complete", Seed: 1,
		Cells: []results.Cell{{Env: "host", N: 1, Trials: 8}, {Env: "container", N: 1, Trials: 8}},
		Metrics: []results.Metric{
			{Name: "ready", Title: "Time until ready", Unit: "s", Better: "lower"}},
		Figures: []results.Figure{
			{Name: "ready", Title: "Time until ready", Kind: "distribution", Metrics: []string{"ready"}, Log: true}},
		Findings: []results.Finding{
			{Name: "second", Statement: "A container takes a second to start.", Metric: "ready", Of: "container",
				Compare: "value", Op: "above", Threshold: 1, Reason: "as it is said"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Machine(&results.Machine{}); err != nil {
		log.Fatal(err)
	}
	for block := range 8 {
		for i, env := range []string{"host", "container"} {
			seconds := []float64{0.0003, 0.0025}[i] * (1 + 0.01*float64(block*5%8))
			err := w.Trial([]results.Line{{Env: env, N: 1, Block: block, Trial: 2*block + i,
				Metric: "ready", Value: &seconds, Unit: "s", Better: "lower", Samples: 1}})
			if err != nil {
				log.Fatal(err)
			}
		}
	}

	if err := reports.Write(dir, uid, gid); err != nil {
		log.Fatal(err)
	}
	run, err := results.Read(dir)
	if err != nil {
		log.Fatal(err)
	}
	if err := reports.Terminal(os.Stdout, run, page.Options{Width: 110}); err != nil {
		log.Fatal(err)
	}
	plots, err := filepath.Glob(filepath.Join(dir, "plots", "*"))
	fmt.Println(len(plots), "plots", err)
	// Output:
	// startup: time until ready
	//  environment  trials  median (ms)   95 % interval  time added to host (ms)  95 % interval  × host
	// ──────────────────────────────────────────────────────────────────────────────────────────────────
	//  host              8        0.310  0.300 to 0.321                 baseline                    1 ×
	//  container         8         2.59    2.50 to 2.68                    +2.28   2.21 to 2.35  8.33 ×
	//
	// Verdicts: + holds, x doesn't hold, ? undecided, * with a caveat; why: tables.md
	// x  A container takes a second to start.                                                      2.59 ms
	// 4 plots <nil>
}
