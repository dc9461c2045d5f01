package stats

import (
	"errors"
	"math"
	"slices"
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
