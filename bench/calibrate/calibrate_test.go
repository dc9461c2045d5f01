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
	if len(checks) != 7 {
		t.Fatalf("%d checks", len(checks))
	}
	for i, c := range checks[:4] { // by medians, by pairs, in families, and the middle ratio
		if c.Answer != Yes || i != 2 && c.Figure.N != 200 || i == 2 && c.Figure.N != 8000/24 {
			t.Errorf("shuffled: %+v", c)
		}
	}
	if c := checks[4]; c.Answer != ForNotice || c.Figure.Point < 0.5 {
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
	for i, c := range checks[:4] {
		// A family is dealt out without regard to labels, and doesn't see theirs.
		if c.Answer != No && i != 2 {
			t.Errorf("%+v", c)
		}
	}
}

// Families find what is in a row of theirs: here one value in four is another
// thing's, and lies where a wrong deal would put it into one row.
func TestFamilies(t *testing.T) {
	var values []float64
	for i := range 2400 {
		values = append(values, 1+float64(i%4)+float64(i)*1e-6)
	}
	if k, n, err := Families(values, 1); err != nil || n != 100 || k > 5 {
		t.Errorf("dealt out: %d of %d, %v", k, n, err)
	}
	if k, n, err := Families(values[:23], 1); err != nil || n != 0 || k != 0 {
		t.Errorf("too few: %d of %d, %v", k, n, err)
	}
}

func TestJudgePlanted(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	run := &results.Run{}
	for block := range 1000 {
		for _, slowed := range []struct {
			name string
			by   float64
		}{{"no", 1}, {"0%", 1}, {"2%", 1.02}, {"50%", 1.5}} {
			v := 5e-3 * slowed.by * (1 + 0.01*rng.ExpFloat64())
			run.Lines = append(run.Lines, results.Line{Env: "host", Variant: map[string]string{"slowed": slowed.name}, N: 1, Block: block, Metric: "ready", Value: &v})
		}
	}
	checks, err := Judge(Parts{Planted: run})
	if err != nil {
		t.Fatal(err)
	}
	if c := checks[0]; c.Answer != Yes || c.Figure.Point != 1 || c.Figure.N != 10 {
		t.Errorf("2 %%: %+v", c)
	}
	for _, c := range checks[1:5] {
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
	for i := range run.Lines { // and with most trials disturbed
		if run.Lines[i].Last = true; i%3 > 0 {
			run.Lines[i].Taint = []string{"load"}
		}
	}
	if checks, err = Judge(Parts{Planted: run}); err != nil || checks[0].Answer != CantTell || checks[4].Answer != Yes {
		t.Errorf("on a busy machine: %+v, %v", checks, err)
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
