package stats

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

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
	if err != nil || iv.Known() || iv.Lo != 1 || iv.Hi != 5 || iv.Needs != MinInterval {
		t.Errorf("five values: %+v, %v", iv, err)
	}
	c, err := Compare([]float64{5, 7}, []float64{1, 2}, 1)
	if d := c.Difference; err != nil || d.Known() || d.Point != 4.5 || d.Lo != 3 || d.Hi != 6 || c.Differs() {
		t.Errorf("difference of two and two values: %+v, %v", d, err)
	}
}

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
