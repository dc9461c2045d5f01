package stats

import (
	"fmt"
	"math"
	"slices"
)

// PairedRatio compares samples whose i-th values belong together, as two trials
// of one block do: whatever the machine did to both drops out. It returns the
// ratio x/y with its interval: Hodges and Lehmann's estimate of the middle log
// ratio, and the interval of those shifts that Wilcoxon's signed-rank test at the
// level Alpha/family doesn't reject, so that a family of comparisons holds
// together with 95 %.
//
// The log ratios must be distributed symmetrically around their middle. They
// are where the two samples have the same distribution, so that what has no
// difference isn't called different: and where a coin says for each pair which of the
// two has which processor, they are whatever the machine does. Then only the signs are
// chance, each its own, though one pair be as slow as the one before it or one processor
// slower than the other ([PairsLevel]; R. A. Fisher, The Design of Experiments, 1935,
// section 21).
//
// Source: F. Wilcoxon, Individual comparisons by ranking methods, Biometrics
// Bulletin 1 (1945) 80-83; J. L. Hodges, E. L. Lehmann, Estimates of location
// based on rank tests, Annals of Mathematical Statistics 34 (1963) 598-611;
// M. Hollander, D. A. Wolfe, E. Chicken, Nonparametric Statistical Methods, 3rd
// ed., Wiley 2014, sections 3.1 to 3.3.
//
// With fewer than [MinPairs] pairs, or too few for the family, the ends are the
// range of the ratios. The errors are [ErrEmpty], [ErrNotFinite], [ErrNotPositive], and that the samples
// aren't of one size.
func PairedRatio(x, y []float64, family int) (Interval, Test, error) {
	if len(x) != len(y) {
		return Interval{}, Test{}, fmt.Errorf("paired ratio: %d and %d values are no pairs", len(x), len(y))
	}
	logs := make([]float64, len(x))
	for i := range x {
		if !finite(x[i], y[i]) {
			return Interval{}, Test{}, fmt.Errorf("paired ratio: %w", ErrNotFinite)
		}
		if x[i] <= 0 || y[i] <= 0 {
			return Interval{}, Test{}, fmt.Errorf("paired ratio: %w", ErrNotPositive)
		}
		logs[i] = math.Log(x[i]) - math.Log(y[i])
	}
	s, err := sorted(logs)
	if err != nil {
		return Interval{}, Test{}, fmt.Errorf("paired ratio: %w", err)
	}
	n := len(s)
	iv := Interval{Point: math.Exp(hodgesLehmann(s)), N: n, Method: Range, Lo: math.Exp(s[0]), Hi: math.Exp(s[n-1])}
	t := signedRank(s)
	tail := Alpha / float64(max(family, 1)) / 2
	k := signedRankOf(n, tail)
	if n < MinPairs || k == 0 {
		iv.tooFew(PairsNeeded(family))
		return iv, t, nil
	}
	iv.Lo, iv.Hi = math.Exp(walsh(s, k)), math.Exp(walsh(s, n*(n+1)/2+1-k))
	iv.Confidence, iv.Method = 1-2*tail, SignedRank
	return iv, t, check(iv)
}

// ErrNotPositive is that a ratio was asked of values that have none.
var ErrNotPositive = fmt.Errorf("a value is not above zero")

// MinPairs is the number of pairs from which pairs are compared: with fewer, an
// interval by pairs is wider than one by the two samples.
const MinPairs = 10

// PairsNeeded is the least number of pairs with which a comparison of a family
// that large can find a difference.
func PairsNeeded(family int) int {
	return max(MinPairs, int(math.Ceil(1+math.Log2(float64(max(family, 1))/Alpha))))
}

// PairsLevel is how often n pairs of what is the same are called different, exactly: the
// ranks' sums are whole numbers, and so it is below Alpha.
func PairsLevel(n int) float64 {
	shares := signedRanks(n)
	level := 0.0
	for _, p := range shares[:countBelow(shares, Alpha/2)] {
		level += 2 * p
	}
	return level
}

// SignedRank is how a [PairedRatio]'s ends were found.
const SignedRank = "signed ranks"

// walsh returns the k-th smallest, from 1, of the means of all pairs of values of
// the sorted s, each with itself included. There are n(n+1)/2 of them: instead of
// making them all, those up to a value are counted, and the value is found by
// halving.
func walsh(s []float64, k int) float64 {
	return kth(s[0], s[len(s)-1], k, func(v float64) int { return upTo(s, v) })
}

// upTo counts the means of pairs that are at most v.
func upTo(s []float64, v float64) int {
	n, j := 0, len(s)-1
	for i := range s {
		for j >= i && mean(s[i], s[j]) > v {
			j--
		}
		if j < i {
			break
		}
		n += j - i + 1
	}
	return n
}

// hodgesLehmann is the median of those means.
func hodgesLehmann(s []float64) float64 {
	m := len(s) * (len(s) + 1) / 2
	return mean(walsh(s, (m+1)/2), walsh(s, m/2+1))
}

// signedRank tests whether the middle of ds is zero: zeros are left out, ties
// share their rank, and the approximation is corrected for ties and continuity.
func signedRank(ds []float64) Test {
	var nonzero []float64
	for _, d := range ds {
		if d != 0 {
			nonzero = append(nonzero, d)
		}
	}
	n := float64(len(nonzero))
	if n == 0 {
		return Test{P: 1}
	}
	slices.SortFunc(nonzero, func(a, b float64) int {
		switch {
		case math.Abs(a) < math.Abs(b):
			return -1
		case math.Abs(a) > math.Abs(b):
			return 1
		}
		return 0
	})
	w, ties := 0.0, 0.0
	for i := 0; i < len(nonzero); {
		j := i
		for j < len(nonzero) && math.Abs(nonzero[j]) == math.Abs(nonzero[i]) {
			j++
		}
		rank := float64(i+j+1) / 2 // the mean of i+1 to j
		for _, d := range nonzero[i:j] {
			if d > 0 {
				w += rank
			}
		}
		size := float64(j - i)
		ties += size*size*size - size
		i = j
	}
	variance := n*(n+1)*(2*n+1)/24 - ties/48
	z := math.Max(0, math.Abs(w-n*(n+1)/4)-0.5) / math.Sqrt(variance)
	return Test{P: math.Min(1, math.Erfc(z/math.Sqrt2))}
}

// ComparePairs is [Compare] for samples whose i-th values belong together, and so one of
// a family of comparisons: its ratio is [PairedRatio]'s, and its difference is what that
// comes to at the median of y, so that the two always say the same. The effect is of
// the pairs, too: in how many of them x is larger (Cliff's within-pair dominance). P is
// the signed-rank test's.
//
// The errors are those of PairedRatio: without positive values there is no ratio.
func ComparePairs(x, y []float64, family int) (Comparison, error) {
	c := Comparison{Family: max(family, 1)}
	ratio, t, err := PairedRatio(x, y, c.Family)
	if err != nil {
		return c, err
	}
	c.Ratio, c.P = &ratio, t.P
	c.Difference = ratio
	m := Median(y)
	c.Difference.Point, c.Difference.Lo, c.Difference.Hi = (ratio.Point-1)*m, (ratio.Lo-1)*m, (ratio.Hi-1)*m
	for i := range x {
		switch {
		case x[i] > y[i]:
			c.Effect.A12 += 1 / float64(len(x))
		case x[i] == y[i]:
			c.Effect.A12 += 0.5 / float64(len(x))
		}
	}
	c.Effect.Delta = 2*c.Effect.A12 - 1
	return c, check(c.Difference)
}
