package calibrate

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"lab/bench/results"
)

// madeInPairs makes a calibration of pairs: machine says what the machine is at a
// moment, for whatever runs then; each trial adds its own noise. The sides of a pair are
// drawn, and the second processor is slower by side. B takes by times as long.
func madeInPairs(blocks int, seed uint64, own, side, by float64, machine func(rng *rand.Rand) float64) *results.Run {
	rng := rand.New(rand.NewPCG(seed, 1))
	run := &results.Run{Dir: "made up"}
	add := func(block int, label, made string, v float64) {
		run.Lines = append(run.Lines, results.Line{Env: "host", Variant: map[string]string{"label": label, "made": made}, N: 1, Block: block, Metric: "integer", Value: &v, Last: true})
	}
	noise := func() float64 { return math.Exp(own * rng.NormFloat64()) }
	for b := range blocks {
		now, on := machine(rng), map[bool]float64{true: 1 + side, false: 1}
		swapped := rng.IntN(2) == 0
		add(b, "A", "in-pairs", now*noise()*on[swapped])
		add(b, "B", "in-pairs", by*now*noise()*on[!swapped])
		add(b, "A", "alone", machine(rng)*noise())
		add(b, "B", "alone", by*machine(rng)*noise())
	}
	return run
}

// noisy is a machine that is up to twice as slow now and then.
func noisy(rng *rand.Rand) float64 {
	if rng.IntN(3) == 0 {
		return 1 + rng.Float64()
	}
	return 1
}

func quietly(*rand.Rand) float64 { return 1 }

// find is the check whose question or name has a text.
func find(t *testing.T, checks []Check, text string) Check {
	t.Helper()
	for _, c := range checks {
		if strings.Contains(c.Name+" "+c.Question, text) {
			return c
		}
	}
	t.Fatalf("no check has %q: %+v", text, checks)
	return Check{}
}

// On a noisy machine pairs are told from themselves as rarely as the rule says, what was
// planted is found, and their intervals are many times narrower than those of trials
// made alone in the same time; on one whose noise is each trial's own there is little in
// it but that there are twice as many.
func TestJudgePairs(t *testing.T) {
	for _, x := range []struct {
		name             string
		own, side        float64
		machine          func(*rand.Rand) float64
		least, most      float64 // times narrower
		planted, ratioIs string
	}{
		{"noisy", 0.005, 0, noisy, 8, 200, Yes, Yes},
		{"quiet", 0.005, 0, quietly, 1, 2, Yes, Yes},
		{"one side slower", 0.005, 0.004, noisy, 8, 200, Yes, Yes},
		{"one side much slower", 0.005, 0.2, noisy, 0.5, 20, No, Yes},
	} {
		run := madeInPairs(4000, 7, x.own, x.side, 1, x.machine)
		checks, err := Judge(Parts{PairedCPU: run})
		if err != nil {
			t.Fatal(err)
		}
		if c := find(t, checks, "A/A"); c.Figure.N != 400 || c.Answer == No || c.Figure.Point > 0.07 { // 5 %, give or take 2 standard deviations
			t.Errorf("%s: %+v", x.name, c)
		}
		if c := find(t, checks, "planted"); c.Figure.N != 200 || c.Answer != x.planted {
			t.Errorf("%s: %+v", x.name, c)
		}
		if c := find(t, checks, "ratio of one half"); x.ratioIs != "" && x.side < 0.1 && c.Answer != x.ratioIs {
			t.Errorf("%s: %+v", x.name, c)
		}
		if c := find(t, checks, "narrower"); c.Figure.Point < x.least || c.Figure.Point > x.most || c.Answer != ForNotice || c.Figure.N != 200 {
			t.Errorf("%s: %+v", x.name, c)
		}
	}
}

// A label that makes a difference is found out, and a folder without whole sets is an
// error.
func TestJudgePairsDifferent(t *testing.T) {
	checks, err := Judge(Parts{PairedDisk: madeInPairs(400, 3, 0.005, 0, 1.05, noisy)})
	if err != nil {
		t.Fatal(err)
	}
	if c := find(t, checks, "disk, A/A"); c.Answer != No || c.Figure.Point < 0.9 {
		t.Errorf("%+v", c)
	}
	if c := find(t, checks, "ratio of one half"); c.Answer != No || math.Abs(c.Figure.Point-1.05) > 0.01 {
		t.Errorf("%+v", c)
	}
	if _, err := Judge(Parts{PairedCPU: madeInPairs(WidthSet-1, 3, 0.01, 0, 1, noisy)}); err == nil || !strings.Contains(err.Error(), "has no 20 blocks") {
		t.Error(err)
	}
}
