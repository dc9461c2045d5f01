package stats

import (
	"fmt"
	"math"

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

// String says which way the values went.
func (t Trend) String() string {
	word := "rise"
	if t.Tau < 0 {
		word = "fall"
	}
	return fmt.Sprintf("values %s in the course of the run (Kendall's tau %.2f)", word, t.Tau)
}

// MannKendall tests xs, in the order of their taking, for a trend: normal
// approximation with continuity correction and correction for ties. With fewer
// than 10 values it finds none (P is 1), since the approximation doesn't hold.
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
	sum := 0.0
	for i, a := range xs {
		for _, b := range xs[i+1:] {
			switch {
			case b > a:
				sum++
			case b < a:
				sum--
			}
		}
	}
	n := float64(len(xs))
	if len(xs) < 10 || s[0] == s[len(s)-1] {
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
	z := max(0, math.Abs(sum)-1) / math.Sqrt(variance/18)
	return Trend{
		Tau: sum / math.Sqrt(pairs*(pairs-tied)), // tau-b; time has no ties
		P:   2 * distuv.UnitNormal.Survival(z),
	}, nil
}
