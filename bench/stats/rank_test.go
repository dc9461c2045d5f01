package stats

import (
	"math"
	"math/bits"
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
	if err != nil {
		t.Errorf("three and three values: %+v, %v", few, err)
	}
	near(t, "p", few.P, 0.1, 1e-12)
}

// Ranks as printed in tables of the test's interval, for instance Hollander and
// Wolfe's, R's qwilcox(0.025, n, m) and qsignrank(0.025, n), and by counting all
// orders of small samples.
func TestRanks(t *testing.T) {
	for _, x := range []struct{ n, m, want int }{{6, 6, 6}, {5, 10, 9}, {20, 10, 56}, {10, 20, 56}, {60, 20, 424}, {25, 25, 212}} {
		if got := rankOf(x.n, x.m, 0.025); got != x.want {
			t.Errorf("%d and %d: rank %d, want %d", x.n, x.m, got, x.want)
		}
	}
	for n, want := range map[int]int{6: 1, 10: 9, 20: 53, 50: 435} {
		if got := signedRankOf(n, 0.025); got != want {
			t.Errorf("%d pairs: rank %d, want %d", n, got, want)
		}
	}
	for n := 1; n <= 5; n++ {
		for m := n; m <= 6; m++ {
			var counts [31]float64
			all := 0.0
			for order := range 1 << (n + m) { // whose bits are the larger sample
				if bits.OnesCount(uint(order)) != m {
					continue
				}
				u, below := 0, 0
				for i := range n + m {
					if order>>i&1 == 1 {
						below++
					} else {
						u += below
					}
				}
				counts[u]++
				all++
			}
			for _, tail := range []float64{0.001, 0.01, 0.025, 0.1} {
				if got, want := rankOf(n, m, tail), countBelow(counts[:], all*tail); got != want {
					t.Errorf("%d and %d at %v: rank %d, want %d", n, m, tail, got, want)
				}
			}
			near(t, "least p", leastP(n, m), 2/all, 1e-12)
		}
	}
	for n := 1; n <= 10; n++ {
		counts := make([]float64, 56)
		for signs := range 1 << n {
			w := 0
			for i := range n {
				w += (signs >> i & 1) * (i + 1)
			}
			counts[w]++
		}
		for _, tail := range []float64{0.002, 0.025, 0.1} {
			if got, want := signedRankOf(n, tail), countBelow(counts, tail*float64(int(1)<<n)); got != want {
				t.Errorf("%d pairs at %v: rank %d, want %d", n, tail, got, want)
			}
		}
	}
	// Where the approximation begins it is within three thousandths of the exact rank.
	mean, sd := 60.*80/2, math.Sqrt(60*80*141./12)
	for _, tail := range []float64{0.025, 0.002} {
		near(t, "normal approximation", float64(rankBelow(mean, sd, tail)), float64(rankOf(60, 80, tail)), 6)
	}
	if PairsNeeded(1) != MinPairs || PairsNeeded(26) != 11 || signedRankOf(10, Alpha/26/2) != 0 || signedRankOf(11, Alpha/26/2) == 0 {
		t.Errorf("pairs needed: %d, %d", PairsNeeded(1), PairsNeeded(26))
	}
}

// What a benchmark tool is worth: a planted 2 % of a 5 ms start with 3 % noise is
// found within 100 pairs, and a third more by 6 trials in a family of 12.
func TestPlantedIsFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	pair := func(n, family int, slower float64) bool {
		x, y := make([]float64, n), make([]float64, n)
		for i := range x {
			x[i] = 5e-3 * math.Exp(0.03*rng.NormFloat64())
			y[i] = 5e-3 * math.Exp(0.03*rng.NormFloat64()) * slower
		}
		c, err := Compare(y, x, family)
		if err != nil {
			t.Fatal(err)
		}
		return c.Differs()
	}
	planted, quick := 0, 0
	for range 100 {
		if pair(100, 1, 1.02) {
			planted++
		}
		if pair(6, 12, 1.33) {
			quick++
		}
	}
	t.Logf("2 %% by 100 trials: %d of 100; a third by 6 trials: %d of 100", planted, quick)
	if planted < 90 || quick < 99 {
		t.Errorf("of 100, 2 %% are found by 100 trials in %d, a third by 6 trials in %d", planted, quick)
	}
}
