package stats

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: got %v, want %v ± %v", what, got, want, tolerance)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		xs   []float64
		want float64
	}{
		{[]float64{3}, 3},
		{[]float64{3, 1}, 2},
		{[]float64{3, 1, 2}, 2},
		{[]float64{math.MaxFloat64, math.MaxFloat64}, math.MaxFloat64},
	} {
		before := slices.Clone(c.xs)
		if got := Median(c.xs); got != c.want {
			t.Errorf("Median(%v) = %v, want %v", c.xs, got, c.want)
		}
		if !slices.Equal(before, c.xs) {
			t.Errorf("Median changed its argument")
		}
	}
	if !math.IsNaN(Median(nil)) || !math.IsNaN(Median([]float64{1, math.Inf(1)})) {
		t.Errorf("Median without a finite sample isn't NaN")
	}
}

// Ranks and confidences as printed in tables of nonparametric intervals for
// the median, for instance Conover 1999, table A3, and checked here by exact
// whole-number arithmetic for every n.
func TestMedianRank(t *testing.T) {
	for _, c := range []struct {
		n, k       int
		confidence float64
	}{{6, 1, 0.9688}, {7, 1, 0.9844}, {8, 1, 0.9922}, {9, 2, 0.9609}, {10, 2, 0.9785},
		{15, 4, 0.9648}, {20, 6, 0.9586}, {25, 8, 0.9567}, {50, 18, 0.9672}, {100, 40, 0.9648}} {
		k, confidence := medianRank(c.n)
		if k != c.k {
			t.Errorf("n=%d: rank %d, want %d", c.n, k, c.k)
		}
		near(t, "confidence", confidence, c.confidence, 5e-5)
	}
	for n := MinInterval; n <= 400; n++ {
		k, confidence := medianRank(n)
		// 40·Σ C(n,i), i < k, against 2ⁿ: a tail of 1/40 on either side.
		all := new(big.Int).Lsh(big.NewInt(1), uint(n))
		tail := func(k int) *big.Int {
			sum := new(big.Int)
			for i := range int64(k) {
				sum.Add(sum, new(big.Int).Binomial(int64(n), i))
			}
			return sum
		}
		forty := big.NewInt(40)
		if new(big.Int).Mul(tail(k), forty).Cmp(all) > 0 || new(big.Int).Mul(tail(k+1), forty).Cmp(all) <= 0 {
			t.Errorf("n=%d: rank %d isn't the largest within the tails", n, k)
		}
		exact, _ := new(big.Rat).SetFrac(tail(k), all).Float64()
		near(t, "confidence", confidence, 1-2*exact, 1e-9)
	}
}

// The interval covers the true median in at least 95 of 100 samples, also of a
// skewed distribution.
func TestMedianIntervalCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{6, 20, 60} {
		covered := 0
		const rounds = 4000
		for range rounds {
			xs := make([]float64, n)
			for i := range xs {
				xs[i] = rng.ExpFloat64()
			}
			iv, err := MedianInterval(xs)
			if err != nil {
				t.Fatal(err)
			}
			if iv.Lo <= math.Ln2 && math.Ln2 <= iv.Hi {
				covered++
			}
		}
		if share := float64(covered) / rounds; share < 0.942 {
			t.Errorf("n=%d: covers %.3f of 0.95", n, share)
		}
	}
}

func TestFewValuesHaveARange(t *testing.T) {
	iv, err := MedianInterval([]float64{5, 1, 2, 3, 4})
	if err != nil || iv.Known() || iv.Lo != 1 || iv.Hi != 5 || len(iv.Warnings) != 1 {
		t.Errorf("five values: %+v, %v", iv, err)
	}
	iv, err = DifferenceOfMedians([]float64{5, 7}, []float64{1, 2}, 1)
	if err != nil || iv.Known() || iv.Point != 4.5 || iv.Lo != 3 || iv.Hi != 6 {
		t.Errorf("difference of two and two values: %+v, %v", iv, err)
	}
}

// The shortcut that draws a median at once must have the distribution of
// medians of samples drawn value by value.
func TestResampledMedian(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{6, 7, 20, 21} {
		s := make([]float64, n)
		for i := range s {
			s[i] = float64(i * i)
		}
		const draws = 40_000
		quick, slow := make([]float64, draws), make([]float64, draws)
		sample := make([]float64, n)
		for i := range draws {
			quick[i] = resampledMedian(s, rng)
			for j := range sample {
				sample[j] = s[rng.IntN(n)]
			}
			slow[i] = Median(sample)
		}
		slices.Sort(quick)
		slices.Sort(slow)
		// Kolmogorov-Smirnov at the 0.1 % level: 1.95·√(2/draws).
		worst := 0.0
		for _, v := range slow {
			at := func(d []float64) float64 {
				i, _ := slices.BinarySearch(d, v+1e-9)
				return float64(i) / draws
			}
			worst = max(worst, math.Abs(at(quick)-at(slow)))
		}
		if worst > 1.95*math.Sqrt(2.0/draws) {
			t.Errorf("n=%d: the distributions are %.4f apart", n, worst)
		}
	}
}

// An identical pair of samples is called different in at most 5 of 100 rounds,
// and a shifted pair is found.
func TestDifferenceOfMediansCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	missed := 0
	const rounds = 300
	for i := range rounds {
		x, y := make([]float64, 30), make([]float64, 30)
		for j := range x {
			x[j], y[j] = 1+rng.ExpFloat64(), rng.ExpFloat64()
		}
		iv, err := DifferenceOfMedians(x, y, uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		if iv.Lo > 1 || iv.Hi < 1 {
			missed++
		}
	}
	if missed > rounds*8/100 {
		t.Errorf("missed the true difference in %d of %d rounds", missed, rounds)
	}
}

func TestRatioOfMedians(t *testing.T) {
	x := []float64{2, 4, 6, 8, 10, 12}
	y := []float64{1, 2, 3, 4, 5, 6}
	iv, err := RatioOfMedians(x, y, 7)
	if err != nil || iv.Point != 2 || iv.Lo > 2 || iv.Hi < 2 || iv.Method != Bootstrap {
		t.Errorf("got %+v, %v", iv, err)
	}
	again, _ := RatioOfMedians(x, y, 7)
	if again.Lo != iv.Lo || again.Hi != iv.Hi {
		t.Errorf("the same seed gave another interval")
	}
	for _, bad := range [][2][]float64{{x, {0, 1}}, {x, {-1}}, {{-1}, y}} {
		if _, err := RatioOfMedians(bad[0], bad[1], 1); !errors.Is(err, ErrNotPositive) {
			t.Errorf("%v: %v, want ErrNotPositive", bad, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, bad := range []struct {
		xs   []float64
		want error
	}{{nil, ErrEmpty}, {[]float64{1, math.NaN()}, ErrNotFinite}, {[]float64{math.Inf(-1)}, ErrNotFinite}} {
		good := []float64{1, 2, 3}
		for name, err := range map[string]error{
			"MedianInterval":      second(MedianInterval(bad.xs)),
			"Quantile":            second(Quantile(bad.xs, 0.5)),
			"DifferenceOfMedians": second(DifferenceOfMedians(good, bad.xs, 1)),
			"EffectSize":          second(EffectSize(bad.xs, good)),
			"MannWhitney":         second(MannWhitney(good, bad.xs)),
			"MannKendall":         second(MannKendall(bad.xs)),
		} {
			if !errors.Is(err, bad.want) {
				t.Errorf("%s(%v): %v, want %v", name, bad.xs, err, bad.want)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Wilks 1941: 59 and 299 are the classic sample sizes.
func TestQuantileNeeds(t *testing.T) {
	for p, want := range map[float64]int{0.5: 5, 0.9: 29, 0.95: 59, 0.99: 299, 0.05: 59, 0: 0, 1: 0, -1: 0} {
		if got := QuantileNeeds(p); got != want {
			t.Errorf("QuantileNeeds(%v) = %d, want %d", p, got, want)
		}
	}
	if QuantileNeeds(math.NaN()) != 0 {
		t.Errorf("QuantileNeeds(NaN) isn't 0")
	}
}

func TestQuantile(t *testing.T) {
	xs := make([]float64, 100)
	for i := range xs {
		xs[i] = float64(i + 1)
	}
	got, err := Quantile(xs, 0.95) // R: quantile(1:100, 0.95) is 95.05
	if err != nil {
		t.Fatal(err)
	}
	near(t, "p95 of 1 to 100", got, 95.05, 1e-9)
	if _, err := Quantile(xs[:58], 0.95); err == nil {
		t.Errorf("58 values carry a p95")
	}
}

func TestEffectSize(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		x, y := make([]float64, 1+rng.IntN(20)), make([]float64, 1+rng.IntN(20))
		for i := range x {
			x[i] = float64(rng.IntN(6))
		}
		for i := range y {
			y[i] = float64(rng.IntN(6))
		}
		// By its definition, pair by pair.
		delta := 0.0
		for _, a := range x {
			for _, b := range y {
				switch {
				case a > b:
					delta++
				case a < b:
					delta--
				}
			}
		}
		delta /= float64(len(x) * len(y))
		e, err := EffectSize(x, y)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "delta", e.Delta, delta, 1e-12)
		near(t, "A12", e.A12, (delta+1)/2, 1e-12)
	}
	for delta, want := range map[float64]string{0: "negligible", -0.2: "small", 0.4: "medium", -1: "large"} {
		if got := (Effect{Delta: delta}).Size(); got != want {
			t.Errorf("%v is %s, want %s", delta, got, want)
		}
	}
}

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
	if tr, err := MannKendall([]float64{1, 2, 3}); err != nil || tr.Drifts() {
		t.Errorf("three values: %+v, %v", tr, err)
	}
}
