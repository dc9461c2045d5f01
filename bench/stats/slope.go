package stats

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// resamples is how many times the bootstrap draws: with 10,000 the ends of a
// 95 % interval stand to about two units of their third digit.
const resamples = 10_000

// A Line is the straight line through medians: what one more costs, and where
// it begins.
type Line struct {
	Slope     Interval // in the values' unit for one of at's
	Intercept float64  // at 0, which nothing may have been measured at
}

// At is the line's height.
func (l Line) At(x float64) float64 { return l.Intercept + l.Slope.Point*x }

// ErrNoSlope is that all samples were taken at one place.
var ErrNoSlope = errors.New("a slope needs samples at two places or more")

// LineOfMedians puts a straight line through the medians of several samples, each
// taken at its own place: least squares, every median with the same weight. The
// slope's 95 % interval is a percentile bootstrap's, each sample drawn from by
// itself, as the places were chosen and not drawn.
//
// With minus, which has a sample for each of xs, the line is that of the
// differences: each median less that of minus at the same place. Nil is none.
//
// Source: B. Efron, R. J. Tibshirani, An Introduction to the Bootstrap, Chapman &
// Hall 1993, section 9.4 and 8.4 (several samples).
//
// With fewer than [MinInterval] values in any sample, the ends are the least and
// the greatest slope through any of the values. The errors are [ErrEmpty],
// [ErrNotFinite] and [ErrNoSlope].
func LineOfMedians(at []float64, xs, minus [][]float64, seed uint64) (Line, error) {
	l, err := lineOfMedians(at, xs, minus, seed)
	if err != nil {
		return l, fmt.Errorf("line of medians: %w", err)
	}
	return l, nil
}

func lineOfMedians(at []float64, xs, minus [][]float64, seed uint64) (l Line, err error) {
	if len(at) != len(xs) || minus != nil && len(minus) != len(xs) {
		return l, fmt.Errorf("%d places for %d and %d samples", len(at), len(xs), len(minus))
	}
	if !finite(at...) {
		return l, ErrNotFinite
	}
	// The slope is a weighted sum of the medians.
	weights, middleAt, err := slopeWeights(at)
	if err != nil {
		return l, err
	}
	type term struct {
		sorted []float64
		weight float64
	}
	var terms []term
	height := 0.0 // of the line at middleAt
	n := math.MaxInt
	add := func(x []float64, weight, sign float64) error {
		s, err := sorted(x)
		if err != nil {
			return err
		}
		terms = append(terms, term{s, weight * sign})
		height += sign * middle(s) / float64(len(at))
		n = min(n, len(s))
		return nil
	}
	for i := range xs {
		err := add(xs[i], weights[i], 1)
		if err == nil && minus != nil {
			err = add(minus[i], weights[i], -1)
		}
		if err != nil {
			return l, err
		}
	}
	slope := func(pick func(term) float64) (sum float64) {
		for _, t := range terms {
			sum += t.weight * pick(t)
		}
		return sum
	}
	iv := Interval{Point: slope(func(t term) float64 { return middle(t.sorted) }), Method: Range, N: n}
	if n < MinInterval {
		end := func(up bool) float64 {
			return slope(func(t term) float64 {
				if (t.weight > 0) == up {
					return t.sorted[len(t.sorted)-1]
				}
				return t.sorted[0]
			})
		}
		iv.Lo, iv.Hi = end(false), end(true)
		iv.tooFew(MinInterval)
	} else {
		rng := rand.New(rand.NewPCG(seed, 0x736c6f7065)) // "slope"
		draws := make([]float64, resamples)
		for i := range draws {
			draws[i] = slope(func(t term) float64 { return resampledMedian(t.sorted, rng) })
		}
		slices.Sort(draws)
		iv.Lo = min(iv.Point, draws[int(math.Floor(0.025*resamples))])
		iv.Hi = max(iv.Point, draws[int(math.Ceil(0.975*resamples))-1])
		iv.Confidence, iv.Method = 0.95, Bootstrap
	}
	return Line{iv, height - iv.Point*middleAt}, check(iv)
}

// slopeWeights are what each median counts in the slope by least squares.
func slopeWeights(at []float64) (weights []float64, mid float64, err error) {
	if len(at) == 0 {
		return nil, 0, ErrEmpty
	}
	for _, x := range at {
		mid += x / float64(len(at))
	}
	square := 0.0
	for _, x := range at {
		square += (x - mid) * (x - mid)
	}
	if square == 0 {
		return nil, 0, ErrNoSlope
	}
	for _, x := range at {
		weights = append(weights, (x-mid)/square)
	}
	return weights, mid, nil
}

// resampledMedian draws len(s) values from the sorted s with replacement and
// returns their median, without drawing them all: the ranks of what is drawn
// are n uniform numbers, of which only the middle one or two matter, and these
// can be drawn at once. The k-th smallest of n uniform numbers is beta(k, n+1−k)
// distributed, and the next one is, given it, the smallest of the n−k that lie
// above (L. Devroye, Non-Uniform Random Variate Generation, Springer 1986,
// section V.3).
func resampledMedian(s []float64, rng *rand.Rand) float64 {
	n := len(s)
	at := func(u float64) float64 { return s[min(int(u*float64(n)), n-1)] }
	k := (n + 1) / 2
	u := beta(float64(k), float64(n+1-k), rng)
	lower := at(u)
	if n%2 == 1 {
		return lower
	}
	smallest := 1 - math.Pow(rng.Float64(), 1/float64(n-k))
	upper := at(u + (1-u)*smallest)
	return mean(lower, upper)
}
