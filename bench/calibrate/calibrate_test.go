package calibrate

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"lab/bench/results"
)

const shortRun = 20

// made makes a run of one environment whose values were made up: two labels
// that f tells apart, n values each, in shuffled order or in groups.
func made(n int, grouped bool, f func(label string, at int, rng *rand.Rand) float64) *results.Run {
	rng := rand.New(rand.NewPCG(1, 2))
	run := &results.Run{Dir: "made up", Manifest: results.Manifest{Seed: 9}}
	for _, label := range []string{"A", "B"} {
		run.Manifest.Cells = append(run.Manifest.Cells, results.Cell{Env: "host", Variant: map[string]string{"label": label}, N: 1})
	}
	var order []string
	for range n / shortRun {
		var some []string
		for i := range 2 * shortRun {
			some = append(some, string("AB"[i/shortRun]))
		}
		for i := 0; i < len(some) && !grouped; i += 2 { // blocks of one A and one B
			some[i], some[i+1] = "A", "B"
			if rng.IntN(2) == 0 {
				some[i], some[i+1] = "B", "A"
			}
		}
		order = append(order, some...)
	}
	at := map[string]int{}
	for i, label := range order {
		v := f(label, i, rng)
		at[label]++
		run.Lines = append(run.Lines, results.Line{Env: "host", Variant: map[string]string{"label": label}, N: 1, Block: at[label], Metric: "ready", Value: &v})
	}
	return run
}

// drift is a start on a machine that gets slower and faster by 10 % in waves
// of 90 starts.
func drift(_ string, at int, rng *rand.Rand) float64 {
	return 1e-3 * (1 + 0.1*math.Sin(float64(at)/90*2*math.Pi) + 0.02*rng.ExpFloat64())
}

// On a machine that drifts, shuffled starts are called different as rarely as
// the rule promises, and starts in groups nearly always are.
func TestJudgeDrift(t *testing.T) {
	checks, err := Judge(Parts{Shuffled: made(200*shortRun, false, drift), Blocks: made(200*shortRun, true, drift), ShortRun: shortRun})
	if err != nil {
		t.Fatal(err)
	}
	if len(checks) != 6 {
		t.Fatalf("%d checks", len(checks))
	}
	for _, c := range checks[:3] { // by medians, by pairs, and the middle ratio
		if c.Answer != Yes || c.Figure.N != 200 {
			t.Errorf("shuffled: %+v", c)
		}
	}
	if c := checks[3]; c.Answer != ForNotice || c.Figure.Point < 0.5 {
		t.Errorf("in groups: %+v", c)
	}
}

// A label that makes a difference is found out.
func TestJudgeDifferent(t *testing.T) {
	run := made(100*shortRun, false, func(label string, at int, rng *rand.Rand) float64 {
		v := 1e-3 * (1 + 0.05*rng.ExpFloat64())
		if label == "B" {
			v *= 1.05
		}
		return v
	})
	checks, err := Judge(Parts{Shuffled: run, ShortRun: shortRun})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks[:3] {
		if c.Answer != No {
			t.Errorf("%+v", c)
		}
	}
}

func TestJudgePlanted(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	run := &results.Run{}
	for block := range 1000 {
		for s, by := range map[string]float64{"no": 1, "0%": 1, "2%": 1.02} {
			v := 5e-3 * by * (1 + 0.01*rng.ExpFloat64())
			run.Lines = append(run.Lines, results.Line{Env: "host", Variant: map[string]string{"slowed": s}, N: 1, Block: block, Metric: "ready", Value: &v})
		}
	}
	checks, err := Judge(Parts{Planted: run})
	if err != nil {
		t.Fatal(err)
	}
	if c := checks[0]; c.Answer != Yes || c.Figure.Point != 1 || c.Figure.N != 10 {
		t.Errorf("2 %%: %+v", c)
	}
	for _, c := range checks[1:4] {
		if c.Answer != Yes {
			t.Errorf("%+v", c)
		}
	}
	// Unslowed, where a slowdown was promised: not found.
	for i, l := range run.Lines {
		if l.Variant["slowed"] == "2%" {
			run.Lines[i].Variant = map[string]string{"slowed": "none"}
		} else if l.Variant["slowed"] == "0%" {
			run.Lines = append(run.Lines, results.Line{Env: "host", Variant: map[string]string{"slowed": "2%"}, N: 1, Block: l.Block, Metric: "ready", Value: l.Value})
		}
	}
	if checks, err = Judge(Parts{Planted: run}); err != nil || checks[0].Answer != No {
		t.Errorf("a slowdown that isn't there: %+v, %v", checks, err)
	}
}

func TestJudgeOutside(t *testing.T) {
	for by, want := range map[float64]string{1: Yes, 1.2: No, 0.8: No, 1.05: CantTell} {
		rng := rand.New(rand.NewPCG(5, 6))
		run := &results.Run{}
		for i := range 400 {
			in, out := by*(1+0.1*rng.Float64()), 1+0.1*rng.Float64()
			run.Lines = append(run.Lines,
				results.Line{Env: "host", N: 1, Block: i, Metric: "ready", Value: &in},
				results.Line{Env: Outside, N: 1, Block: i, Metric: "ready", Value: &out})
		}
		checks, err := Judge(Parts{Outside: run})
		if err != nil || len(checks) != 3 || checks[0].Answer != want || checks[1].Answer != want {
			t.Errorf("×%v: %+v, %v; want %s", by, checks, err, want)
		}
	}
}

// Warm-ups and failed trials aren't values; a part without any says so.
func TestValues(t *testing.T) {
	v := 1.0
	run := &results.Run{Dir: "made up", Manifest: results.Manifest{Cells: []results.Cell{{Env: "host"}}}, Lines: []results.Line{
		{Env: "host", Metric: "ready", Value: &v, Warmup: true}, {Env: "host", Metric: "ready", Err: "no"},
		{Env: "host", Metric: "gone", Value: &v}, {Env: "host", Variant: map[string]string{"label": "A"}, Metric: "ready", Value: &v},
	}}
	if got := Values(run, "host", nil); got != nil {
		t.Errorf("values %v", got)
	}
	for _, p := range []Parts{{Shuffled: run, ShortRun: shortRun}, {Outside: run}, {Planted: run}} {
		if _, err := Judge(p); err == nil || !strings.Contains(err.Error(), "made up") {
			t.Errorf("%v", err)
		}
	}
}

func TestQuiet(t *testing.T) {
	run := &results.Run{}
	for i := range 10 {
		l := results.Line{Last: true}
		if i < 3 {
			l.Taint = []string{"steal"}
		}
		run.Lines = append(run.Lines, results.Line{}, l)
	}
	if c := quiet(nil, run); c.Figure.Point != 0.3 || c.Figure.N != 10 || c.Answer != ForNotice {
		t.Errorf("%+v", c)
	}
	if c := quiet(nil); c.Measured != "no trials" {
		t.Errorf("%+v", c)
	}
}
