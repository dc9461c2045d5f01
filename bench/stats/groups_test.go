package stats

import (
	"math/rand/v2"
	"testing"
)

func TestTwoGroups(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	var xs []float64
	for range 12 {
		xs = append(xs, 14+rng.NormFloat64())
	}
	for range 8 {
		xs = append(xs, 62+rng.NormFloat64())
	}
	rng.Shuffle(len(xs), func(i, j int) { xs[i], xs[j] = xs[j], xs[i] })
	low, high := TwoGroups(xs)
	if len(low) != 12 || len(high) != 8 || low[11] > 20 || high[0] < 50 {
		t.Errorf("%v and %v", low, high)
	}
	if low, high = TwoGroups([]float64{3}); len(low) != 1 || high != nil {
		t.Errorf("one value: %v and %v", low, high)
	}
	if low, high = TwoGroups([]float64{5, 5}); len(low) != 1 || len(high) != 1 {
		t.Errorf("two equal values: %v and %v", low, high)
	}
}
