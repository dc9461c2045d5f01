package stats

import (
	"errors"
	"fmt"
	"math"
)

// A Spread is how far values lie apart within groups of them, and the groups from
// one another, as standard deviations in the values' unit.
type Spread struct {
	Medians         []float64 // of each group
	Between, Within float64

	F    float64 // mean square between groups by that within, +Inf where there is none within
	Size float64 // of a group, as it counts
}

// ErrFewGroups is that there is nothing to tell a spread between groups by.
var ErrFewGroups = errors.New("a spread wants two groups or more, of two values each")

// SpreadOf takes the variance of groups of values apart: one-way analysis of
// variance with random groups. Where groups lie no farther apart than their values
// alone make them, Between is 0.
//
// Source: S. R. Searle, G. Casella, C. E. McCulloch, Variance Components, Wiley
// 1992, section 3.6 (groups of different sizes). The estimate is of means, which
// single far values move: the medians stand beside it.
//
// The errors are [ErrFewGroups] and [ErrNotFinite].
func SpreadOf(groups [][]float64) (Spread, error) {
	var s Spread
	n, squares, sum := 0.0, 0.0, 0.0
	for _, g := range groups {
		if len(g) < 2 {
			return s, fmt.Errorf("spread: %w", ErrFewGroups)
		}
		if !finite(g...) {
			return s, fmt.Errorf("spread: %w", ErrNotFinite)
		}
		s.Medians = append(s.Medians, Median(g))
		n += float64(len(g))
		squares += float64(len(g)) * float64(len(g))
		for _, x := range g {
			sum += x
		}
	}
	k := float64(len(groups))
	if k < 2 {
		return s, fmt.Errorf("spread: %w", ErrFewGroups)
	}
	between, within := 0.0, 0.0
	for _, g := range groups {
		own := 0.0
		for _, x := range g {
			own += x / float64(len(g))
		}
		d := own - sum/n
		between += float64(len(g)) * d * d
		for _, x := range g {
			within += (x - own) * (x - own)
		}
	}
	within /= n - k
	size := (n - squares/n) / (k - 1) // of a group, as it counts
	s.F, s.Size = between/(k-1)/within, size
	s.Within = math.Sqrt(within)
	s.Between = math.Sqrt(max(0, (between/(k-1)-within)/size))
	if !finite(s.Between, s.Within) {
		return s, fmt.Errorf("spread: %w", ErrNotFinite)
	}
	return s, nil
}
