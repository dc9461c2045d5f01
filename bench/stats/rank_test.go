package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The example of R's wilcox.test, from M. Hollander, D. A. Wolfe,
// Nonparametric Statistical Methods, Wiley 1973, page 69: permeability of the
// placenta. One-sided p 0.1272 there, so 0.2544 two-sided.
func TestMannWhitney(t *testing.T) {
	x := []float64{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46}
	y := []float64{1.15, 0.88, 0.90, 0.74, 1.21}
	got, err := MannWhitney(x, y)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "p", got.P, 0.2544, 5e-5)
	if same, err := MannWhitney([]float64{1, 1}, []float64{1, 1, 1}); err != nil || same.P != 1 {
		t.Errorf("equal values: %+v, %v", same, err)
	}
	// The least p of two samples of three is 2/C(6,3) = 0.1.
	few, err := MannWhitney([]float64{1, 2, 3}, []float64{4, 5, 6})
	if err != nil || len(few.Warnings) == 0 {
		t.Errorf("three and three values: %+v, %v", few, err)
	}
	near(t, "p", few.P, 0.1, 1e-12)
}

// Values of R's p.adjust(p, "holm").
func TestHolm(t *testing.T) {
	for _, c := range []struct{ p, want []float64 }{
		{nil, []float64{}},
		{[]float64{0.01, 0.02, 0.03, 0.04, 0.05}, []float64{0.05, 0.08, 0.09, 0.09, 0.09}},
		{[]float64{0.04, 0.001, 0.5}, []float64{0.08, 0.003, 0.5}},
		{[]float64{0.9, 0.8}, []float64{1, 1}},
	} {
		got := Holm(c.p)
		if len(got) != len(c.want) {
			t.Fatalf("Holm(%v) = %v", c.p, got)
		}
		for i := range got {
			near(t, "corrected p", got[i], c.want[i], 1e-12)
		}
	}
}

// What a benchmark tool is worth: the same thing under two names is rarely
// called different, and a planted 2 % of a 5 ms start with 3 % noise is found
// within 100 pairs.
func TestNothingIsFoundWhereNothingIs(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	pair := func(n int, slower float64) Test {
		x, y := make([]float64, n), make([]float64, n)
		for i := range x {
			x[i] = 5e-3 * math.Exp(0.03*rng.NormFloat64())
			y[i] = 5e-3 * math.Exp(0.03*rng.NormFloat64()) * slower
		}
		test, err := MannWhitney(x, y)
		if err != nil {
			t.Fatal(err)
		}
		return test
	}
	same, planted := 0, 0
	for range 200 {
		if pair(60, 1).P < Alpha {
			same++
		}
		if pair(100, 1.02).P < Alpha {
			planted++
		}
	}
	// 10 are expected; 19 is three standard deviations more.
	if same > 19 {
		t.Errorf("%d of 200 equal pairs are called different", same)
	}
	if planted < 190 {
		t.Errorf("a planted 2 %% is found in %d of 200", planted)
	}
}
