package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// resamples is how many times the bootstrap draws: with 10,000 the ends of a
// 95 % interval stand to about two units of their third digit.
const resamples = 10_000

// DifferenceOfMedians returns median(x) − median(y), in the values' unit, with
// its 95 % percentile bootstrap interval.
//
// The difference of the medians is taken, and not the median of the
// differences (Hodges and Lehmann's estimate), since readers subtract the
// medians that they see in a table.
//
// Source: B. Efron, Bootstrap methods: another look at the jackknife, Annals of
// Statistics 7 (1979) 1-26; R. R. Wilcox, Introduction to Robust Estimation and
// Hypothesis Testing, 4th ed., Academic Press 2017, section 5.4.2.
//
// With fewer than [MinInterval] values in either sample, Lo and Hi are the
// least and the greatest difference of any two values. The errors are
// [ErrEmpty] and [ErrNotFinite].
func DifferenceOfMedians(x, y []float64, seed uint64) (Interval, error) {
	iv, err := twoMedians(x, y, seed, func(a, b float64) float64 { return a - b })
	if err != nil {
		return iv, fmt.Errorf("difference of medians: %w", err)
	}
	return iv, nil
}

// RatioOfMedians returns median(x) / median(y) with its 95 % percentile
// bootstrap interval, as [DifferenceOfMedians] does. All values of y must be
// above zero, and none of x below it; [ErrNotPositive] otherwise. A ratio too
// large for a float64 is [ErrNotFinite].
func RatioOfMedians(x, y []float64, seed uint64) (Interval, error) {
	if len(x) > 0 && slices.Min(x) < 0 || len(y) > 0 && slices.Min(y) <= 0 {
		return Interval{}, fmt.Errorf("ratio of medians: %w", ErrNotPositive)
	}
	iv, err := twoMedians(x, y, seed, func(a, b float64) float64 { return a / b })
	if err != nil {
		return iv, fmt.Errorf("ratio of medians: %w", err)
	}
	return iv, nil
}

// ErrNotPositive is that a ratio was asked of values that have none.
var ErrNotPositive = fmt.Errorf("a value is not above zero")

// twoMedians puts f around the medians of two samples. f must rise with its
// first argument and fall with its second.
func twoMedians(x, y []float64, seed uint64, f func(a, b float64) float64) (Interval, error) {
	a, err := sorted(x)
	if err != nil {
		return Interval{}, err
	}
	b, err := sorted(y)
	if err != nil {
		return Interval{}, err
	}
	n := min(len(a), len(b))
	iv := Interval{Point: f(middle(a), middle(b)), Method: Range, N: n}
	if n < MinInterval {
		iv.Lo, iv.Hi = f(a[0], b[len(b)-1]), f(a[len(a)-1], b[0])
		iv.Warnings = []string{tooFew(n)}
		return iv, check(iv)
	}
	rng := rand.New(rand.NewPCG(seed, 0x6d656469616e73)) // "medians"
	draws := make([]float64, resamples)
	for i := range draws {
		draws[i] = f(resampledMedian(a, rng), resampledMedian(b, rng))
	}
	slices.Sort(draws)
	iv.Lo = draws[int(math.Floor(0.025*resamples))]
	iv.Hi = draws[int(math.Ceil(0.975*resamples))-1]
	// The percentile interval of a discrete statistic may miss the point
	// itself by a rounding; an estimate outside its own interval would puzzle.
	iv.Lo, iv.Hi = min(iv.Lo, iv.Point), max(iv.Hi, iv.Point)
	iv.Confidence, iv.Method = 0.95, Bootstrap
	return iv, check(iv)
}

// check finds what became too large for a float64 on the way.
func check(iv Interval) error {
	if !finite(iv.Point, iv.Lo, iv.Hi) {
		return ErrNotFinite
	}
	return nil
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
