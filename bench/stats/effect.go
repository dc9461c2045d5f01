package stats

import (
	"fmt"
	"math"
	"slices"
)

// An Effect is how far two samples lie apart, whatever their unit.
type Effect struct {
	// A12 is the chance that a value of the first sample is larger than one
	// of the second, ties counted half: 0.5 means no difference.
	//
	// Source: A. Vargha, H. D. Delaney, A critique and improvement of the CL
	// common language effect size statistics of McGraw and Wong, Journal of
	// Educational and Behavioral Statistics 25 (2000) 101-132.
	A12 float64

	// Delta is Cliff's delta, 2·A12 − 1, from −1 to 1.
	//
	// Source: N. Cliff, Dominance statistics: ordinal analyses to answer
	// ordinal questions, Psychological Bulletin 114 (1993) 494-509.
	Delta float64
}

// EffectSize compares each value of x with each of y. The errors are
// [ErrEmpty] and [ErrNotFinite].
func EffectSize(x, y []float64) (Effect, error) {
	a, err := sorted(x)
	if err != nil {
		return Effect{}, fmt.Errorf("effect size: %w", err)
	}
	b, err := sorted(y)
	if err != nil {
		return Effect{}, fmt.Errorf("effect size: %w", err)
	}
	wins := 0.0
	for _, v := range a {
		below, _ := slices.BinarySearch(b, v)
		upto, _ := slices.BinarySearch(b, math.Nextafter(v, math.Inf(1)))
		wins += float64(below) + float64(upto-below)/2
	}
	a12 := wins / float64(len(a)) / float64(len(b))
	return Effect{A12: a12, Delta: 2*a12 - 1}, nil
}

// Size puts a word to |Delta|: negligible below 0.147, small below 0.33,
// medium below 0.474, else large.
//
// Source: J. Romano, J. D. Kromrey, J. Coraggio, J. Skowronek, Appropriate
// statistics for ordinal level data, Florida Association of Institutional
// Research, 2006.
func (e Effect) Size() string {
	switch d := math.Abs(e.Delta); {
	case d < 0.147:
		return "negligible"
	case d < 0.33:
		return "small"
	case d < 0.474:
		return "medium"
	}
	return "large"
}
