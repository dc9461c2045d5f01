package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
)

// Alpha is how often a family of comparisons may find even one difference that
// isn't there.
const Alpha = 0.05

// A Comparison sets one sample against another, as one of a family of
// comparisons that answer one question together.
type Comparison struct {
	Difference Interval  // of the medians
	Ratio      *Interval // of the medians; nil where a value isn't above zero
	Effect     Effect
	P          float64 // Mann-Whitney, two-sided, of this comparison alone
	Family     int     // how many comparisons hold together with 1 − Alpha
}

// Differs is the one rule by which the lab calls two samples different: the
// interval that is printed leaves zero out (and that of the ratio leaves out one,
// at the same time). A range, for want of an interval, never says so.
func (c Comparison) Differs() bool {
	return c.Difference.Known() && (c.Difference.Lo > 0 || c.Difference.Hi < 0)
}

// Compare sets x against y, one of a family of comparisons.
//
// Each interval has the confidence 1 − Alpha/family, so that all of the family
// hold together with 95 % (Bonferroni's inequality), whatever the distributions
// and however the comparisons hang together. An interval is wide enough for three
// things at once:
//
//   - the shifts, or factors, that a Mann-Whitney test at the level Alpha/family
//     doesn't reject: two order statistics of the differences, or ratios, of all
//     pairs of values. The ranks of two samples from one distribution are in any
//     order equally often, so that what isn't there is found in at most 5 of 100
//     families, for any distribution and any number of trials;
//   - the difference, or ratio, of the medians, which is what readers subtract or
//     divide in a table: of two distributions of different shapes the shift is
//     another number. How many values lie below a median is binomial(n, ½), which
//     says with which chance it lies between which two values; the ends are
//     quantiles of the differences of two medians that are placed so (half way
//     between the two), independently of one another;
//   - that difference, or ratio, of the two samples itself.
//
// So the interval leaves zero out just where the test rejects and the medians
// agree, and no p-value has to be asked besides.
//
// In simulations the families cover the true differences in 95 to 99.8 % for six
// distributions and 6 to 30 trials. The exception are six trials compared with a row
// that has nearly no spread: their range covers a median in 96.9 %, and three such
// rows together in 91 %.
//
// With fewer values than [Needed] no outcome could make the test reject. Then, and
// with fewer than [MinInterval], the ends are the least and the greatest
// difference of any two values, and a warning says how many would do.
//
// Source: O. J. Dunn, Multiple comparisons among means, Journal of the American
// Statistical Association 56 (1961) 52-64; J. L. Hodges, E. L. Lehmann, Estimates
// of location based on rank tests, Annals of Mathematical Statistics 34 (1963)
// 598-611, and M. Hollander, D. A. Wolfe, E. Chicken, Nonparametric Statistical
// Methods, 3rd ed., Wiley 2014, section 4.3 (the test's interval); H. A. David,
// H. N. Nagaraja, Order Statistics, 3rd ed., Wiley 2003, section 7.1 (a median's
// place), and K. Singh, M. Xie, W. E. Strawderman, Combining information from
// independent sources through confidence distributions, Annals of Statistics 33
// (2005) 159-183 (two of them).
//
// The errors are [ErrEmpty] and [ErrNotFinite].
func Compare(x, y []float64, family int) (Comparison, error) {
	c := Comparison{Family: max(family, 1)}
	fail := func(err error) (Comparison, error) { return c, fmt.Errorf("comparison: %w", err) }
	a, err := sorted(x)
	if err != nil {
		return fail(err)
	}
	b, err := sorted(y)
	if err != nil {
		return fail(err)
	}
	p := twoSamples{a: a, b: b, tail: Alpha / float64(c.Family) / 2}
	if min(len(a), len(b)) >= MinInterval {
		p.rank = rankOf(len(a), len(b), p.tail)
	}
	if c.Difference, err = p.interval(c.Family, func(a, b float64) float64 { return a - b }); err != nil {
		return fail(err)
	}
	if a[0] >= 0 && b[0] > 0 {
		if r, err := p.interval(c.Family, func(a, b float64) float64 { return a / b }); err == nil { // else too large for a float64
			c.Ratio = &r
		}
	}
	if c.Effect, err = EffectSize(a, b); err != nil {
		return fail(err)
	}
	t, err := MannWhitney(a, b)
	c.P = t.P
	if err != nil {
		return fail(err)
	}
	return c, nil
}

// Needed is the least number of values in each of two samples with which a
// comparison of a family that large can find a difference: 2/C(2n, n), the least
// p of a Mann-Whitney test, must not be above Alpha/family; and [MinInterval].
func Needed(family int) int {
	n := MinInterval
	for !CanTell(n, n, family) {
		n++
	}
	return n
}

// CanTell reports whether samples of n and m values can be found to be different
// in a family that large.
func CanTell(n, m, family int) bool {
	return min(n, m) >= MinInterval && leastP(n, m) <= Alpha/float64(max(family, 1))
}

// leastP is 2/C(n+m, n), the two-sided p of two samples that don't overlap.
func leastP(n, m int) float64 {
	p := 2.0
	for i := 1; i <= min(n, m); i++ {
		p *= float64(i) / float64(max(n, m)+i)
	}
	return p
}

// twoSamples are two sorted samples.
type twoSamples struct {
	a, b []float64
	tail float64 // on either side of an interval
	rank int     // of the pair of values that is an interval's lower end, from 1; 0: there is none
}

// interval puts f around the medians. f must rise with its first argument and
// fall with its second.
func (p *twoSamples) interval(family int, f func(a, b float64) float64) (Interval, error) {
	a, b := p.a, p.b
	iv := Interval{Point: f(middle(a), middle(b)), N: min(len(a), len(b)), Method: Range}
	if p.rank == 0 {
		iv.Lo, iv.Hi = f(a[0], b[len(b)-1]), f(a[len(a)-1], b[0])
		iv.tooFew(Needed(family))
		return iv, check(iv)
	}
	lo, hi := p.medians(f)
	iv.Lo = min(iv.Point, lo, kthPair(a, b, p.rank, f))
	iv.Hi = max(iv.Point, hi, kthPair(a, b, len(a)*len(b)+1-p.rank, f))
	iv.Confidence, iv.Method = 1-2*p.tail, Ranks
	return iv, check(iv)
}

// medians returns between what f of the two true medians lies, by where these lie
// among their samples' values: half way between two neighbours, or at an outermost
// value, beyond which nothing is known.
func (p *twoSamples) medians(f func(a, b float64) float64) (lo, hi float64) {
	at := func(s []float64, i int) float64 { return mean(s[max(i, 1)-1], s[min(i, len(s)-1)]) }
	a, b := places(len(p.a)), places(len(p.b))
	all := make([]weighted, 0, 1<<12)
	for i, x := range a {
		if x == 0 {
			continue
		}
		v := at(p.a, i)
		for j, y := range b {
			if chance := x * y; chance > 1e-12 {
				all = append(all, weighted{f(v, at(p.b, j)), chance})
			}
		}
	}
	lo = lowest(all, p.tail)
	for i := range all {
		all[i].value = -all[i].value
	}
	return lo, 0 - lowest(all, p.tail) // no -0
}

// A weighted is a value with its chance.
type weighted struct{ value, chance float64 }

// lowest is the least value up to which the chances come to more than tail; the largest
// one if they never do. It orders the values no further than it has to.
func lowest(all []weighted, tail float64) (v float64) {
	for len(all) > 24 {
		x, y, z := all[0].value, all[len(all)/2].value, all[len(all)-1].value
		pivot := max(min(x, y), min(max(x, y), z))
		under, over := 0, len(all) // all[:under] are less, all[over:] greater
		less, same := 0.0, 0.0
		for i := 0; i < over; {
			switch w := all[i]; {
			case w.value < pivot:
				all[i], all[under] = all[under], w
				less += w.chance
				under++
				i++
			case w.value > pivot:
				over--
				all[i], all[over] = all[over], w
			default:
				same += w.chance
				i++
			}
		}
		switch {
		case less > tail:
			all = all[:under]
		case less+same > tail || over == len(all):
			return pivot
		default:
			tail -= less + same
			all = all[over:]
		}
	}
	slices.SortFunc(all, func(v, w weighted) int { return cmp.Compare(v.value, w.value) })
	sum := 0.0
	for _, w := range all {
		v = w.value
		if sum += w.chance; sum > tail {
			break
		}
	}
	return v
}

// lastPlaces are those that were computed last: samples are mostly of one size.
var lastPlaces atomic.Pointer[[]float64]

// places are the chances that 0, 1, … n of a sample's values lie below its true
// median; those that are next to nothing are 0.
func places(n int) []float64 {
	if last := lastPlaces.Load(); last != nil && len(*last) == n+1 {
		return *last
	}
	out := make([]float64, n+1)
	defer lastPlaces.Store(&out)
	all, _ := math.Lgamma(float64(n + 1))
	for i := range out {
		under, _ := math.Lgamma(float64(i + 1))
		over, _ := math.Lgamma(float64(n - i + 1))
		if out[i] = math.Exp(all - under - over - float64(n)*math.Ln2); out[i] < 1e-9 {
			out[i] = 0
		}
	}
	return out
}

// kthPair returns the k-th smallest f, from 1, of all pairs of a value of the
// sorted a and one of the sorted b. They are counted and not made: there may be
// millions.
func kthPair(a, b []float64, k int, f func(a, b float64) float64) float64 {
	return kth(f(a[0], b[len(b)-1]), f(a[len(a)-1], b[0]), k, func(v float64) int {
		n, j := 0, 0
		for _, x := range a { // the larger x, the fewer y of b are small enough
			for j < len(b) && f(x, b[j]) > v {
				j++
			}
			n += len(b) - j
		}
		return n
	})
}

// kth is the least float64 from lo to hi up to which there are k values, found by
// halving; upTo counts them.
func kth(lo, hi float64, k int, upTo func(float64) int) float64 {
	for lo < hi {
		v := mean(lo, hi)
		if v <= lo || v >= hi { // neighbours, as far as a float64 can tell
			if upTo(lo) >= k {
				return lo
			}
			break
		}
		if upTo(v) >= k {
			hi = v
		} else {
			lo = v
		}
	}
	return hi
}

// check finds what became too large for a float64 on the way.
func check(iv Interval) error {
	if !finite(iv.Point, iv.Lo, iv.Hi) {
		return ErrNotFinite
	}
	return nil
}
