package main

import (
	"context"
	"os"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/results"
	"lab/cmd/lab/testdata/toy"
	"lab/scenarios"
)

// A toy environment and a toy scenario, for testdata/script/toy.txt: what it takes
// to add one is a folder and a line, or a file and a line. These are the lines;
// the worker of a script's lab has them, too.
func init() {
	if os.Getenv("LAB_TEST_TOYS") == "" {
		return
	}
	ours := environments
	environments = func(also ...string) []bench.Environment { return append(ours(also...), toy.New()) }
	scenarios.List = append(scenarios.List, play)
}

// play is the file.
func play() *bench.Scenario {
	return &bench.Scenario{
		Name: "play", Question: "How soon does a toy answer?", Method: "A trial starts one instance and waits for its token.",
		Cells: bench.Usual.Rows,
		Trial: func(ctx context.Context, t *bench.T, c bench.Cell) error {
			token := bench.Token()
			i, err := t.Prepare(ctx, t.Spec(bench.Command{Argv: []string{image.ReadyPath, token}}))
			if err != nil {
				return err
			}
			begun := clock.Now()
			if err := i.Start(ctx); err != nil {
				return err
			}
			seen, err := clock.AwaitToken(i.Ready(), []byte(token), time.Second)
			if err == nil {
				t.RecordSince("answer", begun, seen.At)
			}
			return err
		},
		Metrics: []results.Metric{{Name: "answer", Title: "Time until the answer", Unit: "s", Better: "lower", Help: "From the start to the first byte."}},
		Figures: []results.Figure{{Name: "answer", Title: "Time until the answer", Kind: "distribution", Metrics: []string{"answer"}}},
		Findings: []results.Finding{{Name: "soon", Statement: "A toy answers within a minute.", Metric: "answer", Of: "toy",
			Compare: "value", Op: "below", Threshold: 60, Reason: "who plays doesn't wait longer"}},
	}
}
