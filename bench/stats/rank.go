package stats

import (
	"fmt"

	"golang.org/x/perf/benchmath"
)

// A Test is the outcome of a rank test.
type Test struct {
	P float64 // two-sided, not corrected
}

// MannWhitney tests whether x and y come from the same distribution. It is
// exact up to 50 values (25 with ties), and from there on a normal
// approximation, corrected for ties and continuity. It is benchstat's own
// (golang.org/x/perf/benchmath), so that the two never disagree.
//
// Source: H. B. Mann, D. R. Whitney, On a test of whether one of two random
// variables is stochastically larger than the other, Annals of Mathematical
// Statistics 18 (1947) 50-60.
//
// Where all values are equal, P is 1. The errors are [ErrEmpty] and
// [ErrNotFinite].
func MannWhitney(x, y []float64) (Test, error) {
	a, err := sorted(x)
	if err != nil {
		return Test{}, fmt.Errorf("rank test: %w", err)
	}
	b, err := sorted(y)
	if err != nil {
		return Test{}, fmt.Errorf("rank test: %w", err)
	}
	if a[0] == a[len(a)-1] && b[0] == b[len(b)-1] && a[0] == b[0] {
		return Test{P: 1}, nil
	}
	limits := benchmath.DefaultThresholds
	c := benchmath.AssumeNothing.Compare(
		benchmath.NewSample(a, &limits), benchmath.NewSample(b, &limits))
	return Test{P: c.P}, nil
}
