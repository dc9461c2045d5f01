package stats

import (
	"fmt"
	"slices"

	"golang.org/x/perf/benchmath"
)

// Alpha is the level at which a corrected test calls two samples different.
const Alpha = 0.05

// A Test is the outcome of a rank test.
type Test struct {
	P        float64 // two-sided, not corrected
	Warnings []string
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
		return Test{P: 1, Warnings: []string{"all values are equal"}}, nil
	}
	limits := benchmath.DefaultThresholds
	c := benchmath.AssumeNothing.Compare(
		benchmath.NewSample(a, &limits), benchmath.NewSample(b, &limits))
	t := Test{P: c.P}
	for _, w := range c.Warnings {
		t.Warnings = append(t.Warnings, w.Error())
	}
	return t, nil
}

// Differ is the one rule by which the lab calls two samples different: the
// interval of their difference leaves zero out, and the test, corrected for
// all that are made, stays below [Alpha]. A range, for want of an interval,
// never says so. How often the rule finds what isn't there is counted by lab
// calibrate.
func Differ(difference Interval, corrected float64) bool {
	return difference.Known() && corrected < Alpha && (difference.Lo > 0 || difference.Hi < 0)
}

// DifferRatio is the same rule for a ratio, whose interval has to leave out one.
func DifferRatio(ratio Interval, corrected float64) bool {
	return ratio.Known() && corrected < Alpha && (ratio.Lo > 1 || ratio.Hi < 1)
}

// Holm corrects the p-values of several tests, so that the chance of even one
// false difference among them stays below the level that they are held
// against. The result is in the order of p; p isn't changed.
//
// Source: S. Holm, A simple sequentially rejective multiple test procedure,
// Scandinavian Journal of Statistics 6 (1979) 65-70.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case p[i] < p[j]:
			return -1
		case p[i] > p[j]:
			return 1
		}
		return 0
	})
	out := make([]float64, len(p))
	least := 0.0 // a corrected value is never below that of a smaller p
	for rank, i := range order {
		least = max(least, min(1, p[i]*float64(len(p)-rank)))
		out[i] = least
	}
	return out
}
