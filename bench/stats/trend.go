package stats

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// A Trend is whether values rise or fall in the order in which they were
// taken: a machine that warms up, a cache that fills, a leak.
type Trend struct {
	Tau float64 // Kendall's, from −1 (falls throughout) to 1 (rises throughout)
	P   float64 // that chance alone does as much
}

// Drifts reports whether the trend is one to warn of. Its level is stricter
// than [Alpha], since it is asked of every sample, and small trends harm little.
func (t Trend) Drifts() bool { return t.P < 0.01 && math.Abs(t.Tau) >= 0.2 }

// MinTrend is the number of values from which a trend is looked for.
const MinTrend = 10

// MannKendall tests xs, in the order of their taking, for a trend: normal
// approximation with continuity correction and correction for ties. With fewer
// than [MinTrend] values it finds none (P is 1), since the approximation doesn't hold.
//
// Source: H. B. Mann, Nonparametric tests against trend, Econometrica 13
// (1945) 245-259; M. G. Kendall, Rank Correlation Methods, 4th ed., Griffin
// 1975, chapter 4.
//
// The errors are [ErrEmpty] and [ErrNotFinite].
func MannKendall(xs []float64) (Trend, error) {
	s, err := sorted(xs)
	if err != nil {
		return Trend{}, fmt.Errorf("trend: %w", err)
	}
	n := float64(len(xs))
	if len(xs) < MinTrend || s[0] == s[len(s)-1] {
		return Trend{P: 1}, nil
	}
	variance := n * (n - 1) * (2*n + 5)
	tied := 0.0 // pairs
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && s[j] == s[i] {
			j++
		}
		t := float64(j - i)
		variance -= t * (t - 1) * (2*t + 5)
		tied += t * (t - 1) / 2
		i = j
	}
	pairs := n * (n - 1) / 2
	// Kendall's S: pairs that rise less pairs that fall.
	sum := pairs - tied - 2*falling(slices.Clone(xs), make([]float64, len(xs)))
	z := max(0, math.Abs(sum)-1) / math.Sqrt(variance/18)
	return Trend{
		Tau: sum / math.Sqrt(pairs*(pairs-tied)), // tau-b; time has no ties
		P:   2 * distuv.UnitNormal.Survival(z),
	}, nil
}

// falling counts the pairs whose later value is the smaller, by merge sort: a
// run of 100,000 trials has five billion pairs. xs ends up sorted.
func falling(xs, room []float64) float64 {
	if len(xs) < 2 {
		return 0
	}
	half := len(xs) / 2
	left, right := xs[:half], xs[half:]
	count := falling(left, room) + falling(right, room)
	merged := room[:0]
	for len(left) > 0 && len(right) > 0 {
		if right[0] < left[0] {
			count += float64(len(left))
			merged, right = append(merged, right[0]), right[1:]
		} else {
			merged, left = append(merged, left[0]), left[1:]
		}
	}
	merged = append(append(merged, left...), right...)
	copy(xs, merged)
	return count
}
