package stats

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Hamilton's depression scale before and after a tranquilizer, nine patients:
// example 3.1 of Hollander and Wolfe. R's wilcox.test(x, y, paired = TRUE,
// exact = FALSE) prints V = 40, p = 0.04401; the estimate of the shift is 0.46.
func TestSignedRank(t *testing.T) {
	x := []float64{1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30}
	y := []float64{0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29}
	var ds []float64
	for i := range x {
		ds = append(ds, x[i]-y[i])
	}
	near(t, "p", signedRank(ds).P, 0.04401, 1e-4)
	s, _ := sorted(ds)
	near(t, "shift", hodgesLehmann(s), 0.46, 1e-9)
	if p := signedRank([]float64{0, 0}).P; p != 1 {
		t.Errorf("equal pairs: p = %v", p)
	}
}

// On a machine that drifts by more than the difference, pairs show it, and
// the two heaps don't; what isn't there is rarely found.
func TestPairedRatio(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	draw := func(by float64) (x, y []float64) {
		for i := range 100 {
			machine := 1 + 0.2*math.Sin(float64(i)/15)
			y = append(y, machine*(1+0.02*rng.ExpFloat64()))
			x = append(x, by*machine*(1+0.02*rng.ExpFloat64()))
		}
		return x, y
	}
	found := map[float64]int{}
	heaps, covered := 0, 0
	const rounds = 400
	for range rounds {
		for _, by := range []float64{1, 1.02} {
			x, y := draw(by)
			iv, _, err := PairedRatio(x, y, 1)
			if err != nil || iv.Method != SignedRank || iv.N != 100 {
				t.Fatalf("%+v, %v", iv, err)
			}
			if iv.Lo > 1 || iv.Hi < 1 {
				found[by]++
			}
			if by == 1.02 {
				if iv.Lo <= by && by <= iv.Hi {
					covered++
				}
				if c, _ := Compare(x, y, 1); c.Differs() {
					heaps++
				}
			}
		}
	}
	if found[1] > rounds*7/100 || found[1.02] < rounds*95/100 || heaps > rounds/5 || covered < rounds*92/100 {
		t.Errorf("of %d: %d false, %d found by pairs, %d by heaps, %d covered", rounds, found[1], found[1.02], heaps, covered)
	}
}

func TestPairedRatioRefuses(t *testing.T) {
	for _, x := range []struct {
		a, b []float64
		want error
	}{
		{nil, nil, ErrEmpty}, {[]float64{0}, []float64{1}, ErrNotPositive}, {[]float64{1}, []float64{math.NaN()}, ErrNotFinite}, {[]float64{1, 2}, []float64{1}, nil},
	} {
		if _, _, err := PairedRatio(x.a, x.b, 1); err == nil || x.want != nil && !errors.Is(err, x.want) {
			t.Errorf("%v and %v: %v, want %v", x.a, x.b, err, x.want)
		}
	}
	iv, _, err := PairedRatio([]float64{2, 4, 6}, []float64{1, 2, 3}, 1)
	if err != nil || iv.Known() || iv.Point != 2 || iv.Needs == 0 {
		t.Errorf("three pairs: %+v, %v", iv, err)
	}
}

// The k-th mean is what making them all, and sorting, gives.
func TestWalsh(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for n := 1; n < 12; n++ {
		s := make([]float64, n)
		for i := range s {
			s[i] = float64(rng.IntN(7)) - 3 + float64(n%2)*rng.Float64()
		}
		slices.Sort(s)
		var all []float64
		for i := range s {
			for j := i; j < n; j++ {
				all = append(all, (s[i]+s[j])/2)
			}
		}
		slices.Sort(all)
		for k := range all {
			near(t, "mean", walsh(s, k+1), all[k], 1e-12)
		}
		near(t, "their median", hodgesLehmann(s), Median(all), 1e-12)
	}
}

// A comparison of pairs says the same as a ratio, as a difference and by its rule, and is
// called different from itself as rarely as it promises, in families too; what is
// planted is found on a machine whose noise both share.
func TestComparePairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	draw := func(n int, by float64) (x, y []float64) {
		for range n {
			machine := 1 + rng.ExpFloat64() // for both
			x, y = append(x, by*machine*math.Exp(0.01*rng.NormFloat64())), append(y, machine*math.Exp(0.01*rng.NormFloat64()))
		}
		return x, y
	}
	const rounds = 2000
	same, planted, families := 0, 0, 0
	for range rounds {
		x, y := draw(12, 1)
		c, err := ComparePairs(x, y, 1)
		if err != nil || c.Ratio == nil || c.Difference.Method != SignedRank {
			t.Fatalf("%+v, %v", c, err)
		}
		if c.Differs() != (c.Ratio.Lo > 1 || c.Ratio.Hi < 1) {
			t.Fatalf("the difference %+v and the ratio %+v disagree", c.Difference, *c.Ratio)
		}
		if c.Differs() {
			same++
		}
		x, y = draw(12, 1.03)
		if c, _ = ComparePairs(x, y, 1); c.Differs() && c.Ratio.Point > 1 && c.Effect.Delta > 0 {
			planted++
		}
		any := false
		for range 3 {
			x, y = draw(12, 1)
			c, _ = ComparePairs(x, y, 3)
			any = any || c.Differs()
		}
		if any {
			families++
		}
	}
	if same > rounds*6/100 || families > rounds*6/100 || planted < rounds*95/100 {
		t.Errorf("of %d: %d called different, %d families, %d planted were found", rounds, same, families, planted)
	}
	c, err := ComparePairs([]float64{3, 2, 5, 4}, []float64{1, 2, 4, 5}, 1)
	if err != nil || c.Effect.A12 != 0.625 || c.Effect.Delta != 0.25 || c.Differs() || c.Difference.Needs != MinPairs {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := ComparePairs([]float64{1, 0}, []float64{1, 2}, 1); !errors.Is(err, ErrNotPositive) {
		t.Error(err)
	}
}

// Where a coin says which of two has which processor, what is the same isn't called
// different more often than the rule says, though one processor is slower than the other
// and each pair is much as the one before it. Where the one always has the same, it is.
func TestCoinsMakeItExact(t *testing.T) {
	const n, rounds = MinPairs, 4000
	rng := rand.New(rand.NewPCG(41, 42))
	called := map[bool]int{}
	for range rounds {
		for _, coins := range []bool{true, false} {
			var x, y []float64
			drift := 0.0
			for range n {
				drift = 0.9*drift + 0.02*rng.NormFloat64() // of the one processor beside the other
				one, other := math.Exp(0.01+drift), 1.0
				if coins && rng.IntN(2) == 0 {
					one, other = other, one
				}
				x, y = append(x, one), append(y, other)
			}
			if iv, _, err := PairedRatio(x, y, 1); err != nil {
				t.Fatal(err)
			} else if iv.Lo > 1 || iv.Hi < 1 {
				called[coins]++
			}
		}
	}
	level := PairsLevel(n)
	near(t, "level", level, 50./1024, 1e-12)
	if math.Abs(float64(called[true])/rounds-level) > 4*math.Sqrt(level/rounds) {
		t.Errorf("by coins %d of %d, by the rule %.4f", called[true], rounds, level)
	}
	if called[false] < rounds/4 {
		t.Errorf("without coins %d of %d", called[false], rounds)
	}
}
