package stats

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// Both spreads are found again, and a group of equal means has none between.
func TestSpreadOf(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var groups [][]float64
	for range 400 {
		middle := 100 + 3*rng.NormFloat64()
		var g []float64
		for range 5 + rng.IntN(10) {
			g = append(g, middle+rng.NormFloat64())
		}
		groups = append(groups, g)
	}
	s, err := SpreadOf(groups)
	if err != nil || math.Abs(s.Between-3) > 0.3 || math.Abs(s.Within-1) > 0.05 || len(s.Medians) != 400 {
		t.Errorf("between %v (3), within %v (1), %v", s.Between, s.Within, err)
	}
	if s, err = SpreadOf([][]float64{{1, 3}, {3, 1}, {2, 2}}); err != nil || s.Between != 0 || s.Within != math.Sqrt(4.0/3) {
		t.Errorf("%+v, %v", s, err)
	}
	for _, x := range [][][]float64{nil, {{1, 2}}, {{1, 2}, {3}}} {
		if _, err := SpreadOf(x); !errors.Is(err, ErrFewGroups) {
			t.Errorf("%v: %v", x, err)
		}
	}
	if _, err := SpreadOf([][]float64{{1, 2}, {3, math.NaN()}}); !errors.Is(err, ErrNotFinite) {
		t.Error(err)
	}
}
