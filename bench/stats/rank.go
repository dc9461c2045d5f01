package stats

import (
	"fmt"
	"math"

	"golang.org/x/perf/benchmath"
	"gonum.org/v1/gonum/stat/distuv"
)

// A Test is the outcome of a rank test.
type Test struct {
	P float64 // two-sided, not corrected
}

// MannWhitney tests whether x and y come from the same distribution. It is
// exact up to 50 values (25 with ties), and from there on a normal
// approximation, corrected for ties and continuity. It is benchstat's own
// (golang.org/x/perf/benchmath), so that the two never disagree.
//
// Source: H. B. Mann, D. R. Whitney, On a test of whether one of two random
// variables is stochastically larger than the other, Annals of Mathematical
// Statistics 18 (1947) 50-60.
//
// Where all values are equal, P is 1. The errors are [ErrEmpty] and
// [ErrNotFinite].
func MannWhitney(x, y []float64) (Test, error) {
	a, err := sorted(x)
	if err != nil {
		return Test{}, fmt.Errorf("rank test: %w", err)
	}
	b, err := sorted(y)
	if err != nil {
		return Test{}, fmt.Errorf("rank test: %w", err)
	}
	if a[0] == a[len(a)-1] && b[0] == b[len(b)-1] && a[0] == b[0] {
		return Test{P: 1}, nil
	}
	limits := benchmath.DefaultThresholds
	c := benchmath.AssumeNothing.Compare(
		benchmath.NewSample(a, &limits), benchmath.NewSample(b, &limits))
	return Test{P: c.P}, nil
}

// Up to these sizes the ranks of an interval's ends are exact; from there on a
// normal approximation with a correction for continuity is as good.
const (
	exactValues = 60  // of the smaller of two samples
	exactPairs  = 150 // of a signed-rank test
)

// rankOf is the largest k with P(U < k) ≤ tail, where U is Mann and Whitney's
// count of two samples of n and m values from one distribution: the k-th smallest
// difference of two values is the lower end of the test's interval. It is 0 where
// even P(U = 0) is above tail.
func rankOf(n, m int, tail float64) int {
	n, m = min(n, m), max(n, m)
	if leastP(n, m)/2 > tail {
		return 0
	}
	if n > exactValues {
		mean, sd := float64(n)*float64(m)/2, math.Sqrt(float64(n)*float64(m)*float64(n+m+1)/12)
		return max(1, rankBelow(mean, sd, tail))
	}
	// How many orders give which U is the Gaussian binomial coefficient, built up
	// one value after another: ∏ (1−q^(m+i)) / (1−q^i). Half of it is enough, as
	// it is symmetric.
	//
	// Source: G. E. Andrews, The Theory of Partitions, Addison-Wesley 1976,
	// section 3.2; the count is Mann and Whitney's (1947).
	orders := make([]float64, n*m/2+1)
	orders[0] = 1
	all := 1.0
	for i := 1; i <= n; i++ {
		for u := len(orders) - 1; u >= m+i; u-- {
			orders[u] -= orders[u-m-i]
		}
		for u := i; u < len(orders); u++ {
			orders[u] += orders[u-i]
		}
		all *= float64(m+i) / float64(i)
	}
	return countBelow(orders, all*tail)
}

// signedRankOf is the same for the sum of the positive ranks of n differences
// that lie symmetrically around zero.
func signedRankOf(n int, tail float64) int {
	m := float64(n)
	if math.Pow(0.5, m) > tail {
		return 0
	}
	if n > exactPairs {
		return max(1, rankBelow(m*(m+1)/4, math.Sqrt(m*(m+1)*(2*m+1)/24), tail))
	}
	return countBelow(signedRanks(n), tail)
}

// signedRanks are the shares of the 2ⁿ choices of signs by their sum, up to half of it: the
// rest is the same, backwards.
func signedRanks(n int) []float64 {
	shares := make([]float64, n*(n+1)/4+1)
	shares[0] = 1
	for i := 1; i <= n; i++ {
		for w := len(shares) - 1; w >= 0; w-- {
			if shares[w] /= 2; w >= i {
				shares[w] += shares[w-i] / 2
			}
		}
	}
	return shares
}

// countBelow is how many of the first counts together don't exceed most.
func countBelow(counts []float64, most float64) int {
	below := 0.0
	for k, n := range counts {
		if below += n; below > most {
			return k
		}
	}
	return len(counts)
}

// rankBelow is countBelow of whole numbers that are about normally distributed.
func rankBelow(mean, sd, tail float64) int {
	return int(math.Floor(mean + distuv.UnitNormal.Quantile(tail)*sd + 0.5))
}
