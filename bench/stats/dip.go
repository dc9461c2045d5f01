package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
)

// Dip is how far a sample's distribution is from having one hump: the largest
// distance between its distribution function and the nearest one with a single
// mode, from 1/(2n) to 1/4. Humps are two machines in one: caches hit or
// missed, a core asleep or awake. One median describes neither.
//
// Source: J. A. Hartigan, P. M. Hartigan, The dip test of unimodality, Annals
// of Statistics 13 (1985) 70-84; the steps are those of P. M. Hartigan,
// Algorithm AS 217, Applied Statistics 34 (1985) 320-325, with M. Mächler's
// corrections (R package diptest).
//
// The errors are [ErrEmpty] and [ErrNotFinite].
func Dip(xs []float64) (float64, error) {
	s, err := sorted(xs)
	if err != nil {
		return 0, fmt.Errorf("dip: %w", err)
	}
	return dip(s), nil
}

// ManyHumps reports whether xs has more than one hump, at a level of 1 %:
// its dip is above the 99 % quantile of those of samples from the uniform
// distribution, the hardest with one hump. Fewer than 10 values have none. The
// errors are [ErrEmpty] and [ErrNotFinite].
func ManyHumps(xs []float64) (bool, error) {
	d, err := Dip(xs)
	if err != nil || len(xs) < 10 {
		return false, err
	}
	return d > criticalDip(len(xs)), nil
}

var (
	criticalDips sync.Map // by sample size
	dipSizeLimit = 500    // from here on, dips shrink with the root of the size
)

func criticalDip(n int) float64 {
	if n > dipSizeLimit {
		return criticalDip(dipSizeLimit) * math.Sqrt(float64(dipSizeLimit)/float64(n))
	}
	if d, ok := criticalDips.Load(n); ok {
		return d.(float64)
	}
	const rounds = 2000
	rng := rand.New(rand.NewPCG(uint64(n), 0x646970)) // "dip": the same on every machine
	dips := make([]float64, rounds)
	s := make([]float64, n)
	for i := range dips {
		for j := range s {
			s[j] = rng.Float64()
		}
		slices.Sort(s)
		dips[i] = dip(s)
	}
	slices.Sort(dips)
	d := dips[rounds*99/100]
	criticalDips.Store(n, d)
	return d
}

// dip is of a sorted sample. Indices and names are the algorithm's own, which
// count from 1.
func dip(s []float64) float64 {
	n := len(s)
	if n < 2 || s[0] == s[n-1] {
		return 1 / float64(2*n)
	}
	x := append([]float64{0}, s...)
	mn, mj := hulls(x)
	low, high, best := 1, n, 1.0
	for {
		gcm := walk(high, low, mn) // greatest convex minorant, from high to low
		lcm := walk(low, high, mj) // least concave majorant, from low to high
		d, ig, ih := 1.0, len(gcm)-1, len(lcm)-1
		if len(gcm) > 3 || len(lcm) > 3 {
			d, ig, ih = widest(x, gcm, lcm)
		}
		if d < best {
			break
		}
		for j := ig; j < len(gcm)-1; j++ {
			from, to := gcm[j+1], gcm[j]
			best = max(best, gap(x, from, to, 1))
		}
		for j := ih; j < len(lcm)-1; j++ {
			from, to := lcm[j], lcm[j+1]
			best = max(best, gap(x, from, to, -1))
		}
		if low == gcm[ig] && high == lcm[ih] {
			break
		}
		low, high = gcm[ig], lcm[ih]
	}
	return best / float64(2*n)
}

// hulls links each point to its neighbour on the convex hull below (mn) and
// the concave one above (mj).
func hulls(x []float64) (mn, mj []int) {
	n := len(x) - 1
	mn, mj = make([]int, n+1), make([]int, n+1)
	mn[1] = 1
	for j := 2; j <= n; j++ {
		mn[j] = j - 1
		for {
			a, b := mn[j], mn[mn[j]]
			if a == 1 || (x[j]-x[a])*float64(a-b) < (x[a]-x[b])*float64(j-a) {
				break
			}
			mn[j] = b
		}
	}
	mj[n] = n
	for k := n - 1; k >= 1; k-- {
		mj[k] = k + 1
		for {
			a, b := mj[k], mj[mj[k]]
			if a == n || (x[k]-x[a])*float64(a-b) < (x[a]-x[b])*float64(k-a) {
				break
			}
			mj[k] = b
		}
	}
	return mn, mj
}

// walk follows links; what it returns counts from 1.
func walk(from, to int, next []int) []int {
	path := []int{0, from}
	for path[len(path)-1] != to {
		path = append(path, next[path[len(path)-1]])
	}
	return path
}

// widest is where minorant and majorant lie furthest apart.
func widest(x []float64, gcm, lcm []int) (d float64, ig, ih int) {
	ig, ih = len(gcm)-1, len(lcm)-1
	ix, iv := ig-1, 2
	for {
		g, l := gcm[ix], lcm[iv]
		if g > l {
			h := gcm[ix+1]
			dx := float64(l-h+1) - (x[l]-x[h])*float64(g-h)/(x[g]-x[h])
			iv++
			if dx >= d {
				d, ig, ih = dx, ix+1, iv-1
			}
		} else {
			h := lcm[iv-1]
			dx := (x[g]-x[h])*float64(l-h)/(x[l]-x[h]) - float64(g-h-1)
			ix--
			if dx >= d {
				d, ig, ih = dx, ix+1, iv
			}
		}
		ix, iv = max(ix, 1), min(iv, len(lcm)-1)
		if gcm[ix] == lcm[iv] {
			return d, ig, ih
		}
	}
}

// gap is how far the distribution function lies above (sign 1) or below (−1)
// the chord between two points.
func gap(x []float64, from, to int, sign float64) float64 {
	most := 1.0
	if to-from <= 1 || x[from] == x[to] {
		return most
	}
	slope := float64(to-from) / (x[to] - x[from])
	for j := from; j <= to; j++ {
		most = max(most, sign*(float64(j-from)-(x[j]-x[from])*slope)+1)
	}
	return most
}

// TwoGroups cuts a sample that has more than one hump (see [ManyHumps]) into two,
// where the values lie closest around the two groups' means: nothing lies between
// the groups that would belong to neither. Both have at least one value; of fewer
// than two there is no second group.
//
// Source: W. D. Fisher, On grouping for maximum homogeneity, Journal of the
// American Statistical Association 53 (1958) 789-798.
func TwoGroups(xs []float64) (low, high []float64) {
	s, err := sorted(xs)
	if err != nil || len(s) < 2 {
		return s, nil
	}
	all := 0.0
	for _, x := range s {
		all += x - s[0]
	}
	cut, most, sum, n := 1, -1.0, 0.0, float64(len(s))
	for i := 1; i < len(s); i++ {
		sum += s[i-1] - s[0]
		k := float64(i)
		d := sum/k - (all-sum)/(n-k) // between the means: their distance, weighted, is what the cut explains
		if explains := d * d * k * (n - k); explains > most {
			cut, most = i, explains
		}
	}
	return s[:cut], s[cut:]
}
