package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// MinInterval is the number of values from which a median has a 95 %
// interval: with five, even the whole range covers it with 94 % only
// (1 − 2·0.5⁵), with six with 97 %.
const MinInterval = 6

// How an [Interval]'s ends were found.
const (
	OrderStatistics = "order statistics"
	Bootstrap       = "bootstrap"
	Ranks           = "ranks of two samples" // see [Compare]
	// Range: the smallest and the largest value, for want of an interval.
	Range = "range"
	// Agreed: all values are the same, of something that doesn't vary by chance.
	Agreed = "all agree"
)

// An Interval is an estimate with the ends between which the true value lies
// with at least the stated confidence.
type Interval struct {
	Point, Lo, Hi float64

	// Confidence is what the ends attain, from 0 to 1; 0 for a Range, which
	// says nothing about the true value.
	Confidence float64

	Method string
	N      int // values that it rests on; the smaller sample's, of two
	Needs  int // of a Range: how many values would have an interval
}

// Known reports whether the ends are those of a confidence interval, and not
// the mere range of too few values.
func (i Interval) Known() bool { return i.Method != Range }

// tooFew makes i a range, for want of values.
func (i *Interval) tooFew(needs int) {
	i.Method, i.Needs = Range, needs
}

// MedianInterval returns the median of xs with its 95 % interval, whose ends
// are two of the values: the k-th smallest and the k-th largest, k as large as
// a tail of 2.5 % on either side allows. The number of values below the true
// median is binomial(n, ½), whatever the distribution, so the interval is
// exact and never promises too much.
//
// Source: H. A. David, H. N. Nagaraja, Order Statistics, 3rd ed., Wiley 2003,
// section 7.1; W. J. Conover, Practical Nonparametric Statistics, 3rd ed.,
// Wiley 1999, section 3.2.
//
// With fewer than [MinInterval] values, Lo and Hi are the range, and Needs says so. The errors are [ErrEmpty] and [ErrNotFinite].
func MedianInterval(xs []float64) (Interval, error) {
	s, err := sorted(xs)
	if err != nil {
		return Interval{}, fmt.Errorf("median interval: %w", err)
	}
	n := len(s)
	iv := Interval{Point: middle(s), Lo: s[0], Hi: s[n-1], Method: Range, N: n}
	if n < MinInterval {
		iv.tooFew(MinInterval)
		return iv, nil
	}
	k, confidence := medianRank(n)
	iv.Lo, iv.Hi = s[k-1], s[n-k]
	iv.Confidence, iv.Method = confidence, OrderStatistics
	return iv, nil
}

// medianRank returns the largest k with P(B < k) ≤ 2.5 %, B ~ binomial(n, ½),
// and the confidence 1 − 2·P(B < k). n is at least MinInterval.
func medianRank(n int) (k int, confidence float64) {
	b := distuv.Binomial{N: float64(n), P: 0.5}
	below := 0.0 // P(B < k)
	for k = 0; k < n/2; k++ {
		next := below + b.Prob(float64(k))
		if next > 0.025 {
			break
		}
		below = next
	}
	return k, 1 - 2*below
}

// Quantile returns the p-quantile of xs, linearly between the values beside
// it: type 7 of R. J. Hyndman, Y. Fan, Sample quantiles in statistical
// packages, The American Statistician 50 (1996) 361-365, which is what R and
// NumPy do.
//
// A sample too small to carry it (see [QuantileNeeds]) is refused: its largest
// value is no estimate of a tail. Otherwise the errors are [ErrEmpty] and
// [ErrNotFinite].
func Quantile(xs []float64, p float64) (float64, error) {
	s, err := sorted(xs)
	if err != nil {
		return 0, fmt.Errorf("quantile: %w", err)
	}
	if need := QuantileNeeds(p); need == 0 || len(s) < need {
		return 0, fmt.Errorf("quantile %g: %d values, and %d are needed", p, len(s), need)
	}
	h := p * float64(len(s)-1)
	i := int(math.Floor(h))
	if i+1 >= len(s) {
		return s[len(s)-1], nil
	}
	return s[i] + (h-float64(i))*(s[i+1]-s[i]), nil
}

// QuantileNeeds is the smallest sample that carries the p-quantile: the least
// n for which the sample reaches beyond the true quantile with 95 %, that is
// 1 − pⁿ ≥ 0.95 (or 1 − (1−p)ⁿ for the lower tail). It is 59 for p = 0.95 and
// 299 for p = 0.99; for p = 0.5 it is 5. Outside of 0 < p < 1 it is 0.
//
// Source: S. S. Wilks, Determination of sample sizes for setting tolerance
// limits, Annals of Mathematical Statistics 12 (1941) 91-96.
func QuantileNeeds(p float64) int {
	if !(p > 0 && p < 1) {
		return 0
	}
	return int(math.Ceil(math.Log(0.05) / math.Log(max(p, 1-p))))
}
