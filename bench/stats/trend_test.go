package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestMannKendall(t *testing.T) {
	up := make([]float64, 12)
	for i := range up {
		up[i] = float64(i)
	}
	got, err := MannKendall(up)
	if err != nil {
		t.Fatal(err)
	}
	// S = 66, variance = 12·11·29/18 = 212.67, z = 65/14.583 = 4.457.
	near(t, "tau", got.Tau, 1, 1e-12)
	near(t, "p", got.P, 8.3e-6, 1e-7)
	if !got.Drifts() {
		t.Errorf("a straight line doesn't drift: %+v", got)
	}
	rng := rand.New(rand.NewPCG(9, 10))
	warned := 0
	for range 500 {
		xs := make([]float64, 60)
		for i := range xs {
			xs[i] = rng.ExpFloat64()
		}
		if tr, _ := MannKendall(xs); tr.Drifts() {
			warned++
		}
	}
	if warned > 12 {
		t.Errorf("%d of 500 samples without a trend drift", warned)
	}
	// Against the definition, pair by pair, with ties.
	for range 30 {
		xs := make([]float64, 10+rng.IntN(20))
		for i := range xs {
			xs[i] = float64(rng.IntN(8))
		}
		s, tied := 0.0, 0.0
		for i, a := range xs {
			for _, b := range xs[i+1:] {
				switch {
				case b > a:
					s++
				case b < a:
					s--
				default:
					tied++
				}
			}
		}
		pairs := float64(len(xs)*(len(xs)-1)) / 2
		tr, err := MannKendall(xs)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "tau-b", tr.Tau, s/math.Sqrt(pairs*(pairs-tied)), 1e-12)
	}
	if tr, err := MannKendall([]float64{1, 2, 3}); err != nil || tr.Drifts() {
		t.Errorf("three values: %+v, %v", tr, err)
	}
}
