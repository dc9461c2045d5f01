package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Errors that callers tell apart.
var (
	ErrEmpty     = errors.New("no values")
	ErrNotFinite = errors.New("a value is not a finite number")
)

// sorted returns an ascending copy of xs, or what is wrong with them.
func sorted(xs []float64) ([]float64, error) {
	if len(xs) == 0 {
		return nil, ErrEmpty
	}
	if !finite(xs...) {
		return nil, ErrNotFinite
	}
	s := slices.Clone(xs)
	slices.Sort(s)
	return s, nil
}

// Median returns the middle value, or the mean of the two in the middle.
// Without values it is NaN.
func Median(xs []float64) float64 {
	s, err := sorted(xs)
	if err != nil {
		return math.NaN()
	}
	return middle(s)
}

// middle is the median of a sorted sample that has values.
func middle(s []float64) float64 {
	n := len(s)
	if n%2 == 1 {
		return s[n/2]
	}
	return mean(s[n/2-1], s[n/2])
}

// mean is of two values; their sum may be larger than a float64 holds.
func mean(a, b float64) float64 {
	if m := (a + b) / 2; !math.IsInf(m, 0) {
		return m
	}
	return a/2 + b/2
}

// finite reports whether all are numbers.
func finite(xs ...float64) bool {
	for _, x := range xs {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}

// Share returns k of n with its exact 95 % interval, which never promises too
// much.
//
// Source: C. J. Clopper, E. S. Pearson, The use of confidence or fiducial
// limits illustrated in the case of the binomial, Biometrika 26 (1934)
// 404-413; the ends as quantiles of the beta distribution after A. Agresti,
// B. A. Coull, The American Statistician 52 (1998) 119-126.
func Share(k, n int) (Interval, error) {
	if n < 1 || k < 0 || k > n {
		return Interval{}, fmt.Errorf("share: %d of %d", k, n)
	}
	iv := Interval{Point: float64(k) / float64(n), Lo: 0, Hi: 1, Confidence: 0.95, Method: "Clopper-Pearson", N: n}
	if k > 0 {
		iv.Lo = distuv.Beta{Alpha: float64(k), Beta: float64(n - k + 1)}.Quantile(0.025)
	}
	if k < n {
		iv.Hi = distuv.Beta{Alpha: float64(k + 1), Beta: float64(n - k)}.Quantile(0.975)
	}
	return iv, nil
}
