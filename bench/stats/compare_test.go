package stats

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The shortcut that draws a median at once must have the distribution of
// medians of samples drawn value by value.
func TestResampledMedian(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{6, 7, 20, 21} {
		s := make([]float64, n)
		for i := range s {
			s[i] = float64(i * i)
		}
		const draws = 40_000
		quick, slow := make([]float64, draws), make([]float64, draws)
		sample := make([]float64, n)
		for i := range draws {
			quick[i] = resampledMedian(s, rng)
			for j := range sample {
				sample[j] = s[rng.IntN(n)]
			}
			slow[i] = Median(sample)
		}
		slices.Sort(quick)
		slices.Sort(slow)
		// Kolmogorov-Smirnov at the 0.1 % level: 1.95·√(2/draws).
		worst := 0.0
		for _, v := range slow {
			at := func(d []float64) float64 {
				i, _ := slices.BinarySearch(d, v+1e-9)
				return float64(i) / draws
			}
			worst = max(worst, math.Abs(at(quick)-at(slow)))
		}
		if worst > 1.95*math.Sqrt(2.0/draws) {
			t.Errorf("n=%d: the distributions are %.4f apart", n, worst)
		}
	}
}

func TestCompare(t *testing.T) {
	x := []float64{2, 4, 6, 8, 10, 12}
	y := []float64{1, 2, 3, 4, 5, 6}
	c, err := Compare(x, y, 1)
	if err != nil || c.Ratio.Point != 2 || c.Ratio.Lo > 2 || c.Ratio.Hi < 2 || c.Difference.Point != 3.5 || c.Difference.Method != Ranks || c.Differs() {
		t.Errorf("got %+v, %v", c, err)
	}
	for _, bad := range [][2][]float64{{x, {0, 1, 1, 1, 1, 1}}, {x, {-1, 1, 1, 1, 1, 1}}, {{-1, 1, 1, 1, 1, 1}, y}} {
		if c, err := Compare(bad[0], bad[1], 1); err != nil || c.Ratio != nil {
			t.Errorf("%v: a ratio %v, %v", bad, c.Ratio, err)
		}
	}
	for _, x := range []struct {
		bad  []float64
		want error
	}{{nil, ErrEmpty}, {[]float64{math.NaN()}, ErrNotFinite}} {
		if _, err := Compare(x.bad, y, 1); !errors.Is(err, x.want) {
			t.Errorf("%v: %v, want %v", x.bad, err, x.want)
		}
		if _, err := Compare(y, x.bad, 1); !errors.Is(err, x.want) {
			t.Errorf("against %v: %v, want %v", x.bad, err, x.want)
		}
	}
}

// What the design can't tell has no interval, says how many trials would do, and
// with these it is told.
func TestNeeded(t *testing.T) {
	for family, want := range map[int]int{0: 6, 1: 6, 23: 6, 24: 7, 85: 7, 86: 8} { // 2/C(12,6) = 0.00216, 2/C(14,7) = 0.00058
		if got := Needed(family); got != want {
			t.Errorf("a family of %d needs %d, want %d", family, got, want)
		}
		for _, n := range []int{want - 1, want} {
			x, y := make([]float64, n), make([]float64, n)
			for i := range x {
				x[i], y[i] = 132+float64(i), 1+float64(i)/10
			}
			c, err := Compare(x, y, family)
			if err != nil || c.Differs() != (n == want) || c.Difference.Known() != (n == want) || c.Ratio.Known() != (n == want) {
				t.Errorf("%d and %d values apart, of %d: %+v, %v", n, n, family, c, err)
			}
			if n < want && (c.Difference.Needs != want) {
				t.Errorf("%d values: %d would do, want %d", n, c.Difference.Needs, want)
			}
		}
	}
}

// distributions are what trials look like: without skew, skewed, with far values,
// in two humps, of few different values.
var distributions = map[string]struct {
	draw   func(*rand.Rand) float64
	median float64
}{
	"normal":      {func(r *rand.Rand) float64 { return 10 + r.NormFloat64() }, 10},
	"exponential": {func(r *rand.Rand) float64 { return 10 + r.ExpFloat64() }, 10 + math.Ln2},
	"log-normal":  {func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64()) }, 1},
	"Cauchy":      {func(r *rand.Rand) float64 { return 100 + math.Abs(math.Tan(math.Pi*(r.Float64()-0.5))) }, 101},
	"two humps": {func(r *rand.Rand) float64 {
		if r.Float64() < 0.6 {
			return 14 + r.NormFloat64()
		}
		return 62 + r.NormFloat64()
	}, 14.967}, // where 5/6 of the first hump are below
	"whole numbers": {func(r *rand.Rand) float64 { return 5 + float64(r.IntN(5)) }, 7},
}

// The A/A test: of families of rows that are all the same thing, compared with one
// more such row, at most 5 of 100 have any row called different; at 6 and 6 trials
// as with more, and at unequal numbers. In no comparison do interval and verdict,
// or the intervals of difference and ratio, contradict one another.
func TestCompareFindsNothing(t *testing.T) {
	const families = 500
	for name, d := range distributions {
		for _, x := range []struct{ base, row, family int }{{6, 6, 3}, {6, 6, 12}, {20, 6, 3}, {30, 10, 4}} {
			rng := rand.New(rand.NewPCG(uint64(x.base), uint64(x.family)))
			draw := func(n int) []float64 {
				s := make([]float64, n)
				for i := range s {
					s[i] = d.draw(rng)
				}
				return s
			}
			wrong := 0
			for range families {
				base, found := draw(x.base), false
				for range x.family {
					c, err := Compare(draw(x.row), base, x.family)
					if err != nil || !c.Difference.Known() {
						t.Fatalf("%+v, %v", c, err)
					}
					found = found || c.Differs()
					agrees(t, c)
				}
				if found {
					wrong++
				}
			}
			t.Logf("%s, %d and %d values, %d rows: %d of %d families", name, x.base, x.row, x.family, wrong, families)
			// 25 are expected at the most; 40 is three standard deviations more.
			if wrong > 40 {
				t.Errorf("%s, %d and %d values, %d rows: in %d of %d families something is found", name, x.base, x.row, x.family, wrong, families)
			}
		}
	}
}

// agrees checks that a comparison doesn't contradict itself.
func agrees(t *testing.T, c Comparison) {
	t.Helper()
	d, r := c.Difference, c.Ratio
	if r != nil && (d.Lo > 0 != (r.Lo > 1) || d.Hi < 0 != (r.Hi < 1)) {
		t.Errorf("the difference is %v to %v, the ratio %v to %v", d.Lo, d.Hi, r.Lo, r.Hi)
	}
	if c.Differs() && c.P*float64(c.Family) > Alpha {
		t.Errorf("called different at p = %v of %d", c.P, c.Family)
	}
	if d.Point < d.Lo || d.Point > d.Hi {
		t.Errorf("%v lies outside of %v to %v", d.Point, d.Lo, d.Hi)
	}
}

// The whole family's intervals cover the true differences of the medians in 95 of
// 100 families, also where the two distributions have different shapes, widths and
// numbers of trials.
func TestCompareCovers(t *testing.T) {
	const families = 300
	for name, d := range distributions {
		for _, x := range []struct {
			base, row, family int
			width             float64
		}{{6, 6, 3, 1}, {6, 6, 3, 8}, {8, 8, 3, 8}, {30, 10, 3, 5}, {12, 12, 12, 8}} {
			if name == "whole numbers" && x.width == 1 {
				continue // whose sample median jumps from one to the next
			}
			rng := rand.New(rand.NewPCG(3, uint64(x.base)))
			missed := 0
			for range families {
				base := make([]float64, x.base)
				for j := range base {
					base[j] = 50 + rng.NormFloat64()
				}
				hit := true
				for range x.family {
					row := make([]float64, x.row)
					for j := range row {
						row[j] = x.width * d.draw(rng)
					}
					c, err := Compare(row, base, x.family)
					if err != nil {
						t.Fatal(err)
					}
					agrees(t, c)
					truth := x.width*d.median - 50
					hit = hit && c.Difference.Lo <= truth && truth <= c.Difference.Hi
				}
				if !hit {
					missed++
				}
			}
			t.Logf("%s × %v, %d and %d values: %d of %d families missed", name, x.width, x.base, x.row, missed, families)
			// 15 are expected; 27 is three standard deviations more. Six values alone,
			// compared with next to no spread, reach no further than their range,
			// which misses their median in 2·2⁻⁶ of all samples: 27 of 300 families.
			most := 27
			if x.row == 6 && x.width > 1 {
				most = 43
			}
			if missed > most {
				t.Errorf("%s × %v, %d and %d values, %d rows: %d of %d families miss a true difference", name, x.width, x.base, x.row, x.family, missed, families)
			}
		}
	}
}

// The interval's ends are those of all differences, sorted.
func TestKthPair(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	minus := func(a, b float64) float64 { return a - b }
	for range 30 {
		a, b := make([]float64, 1+rng.IntN(7)), make([]float64, 1+rng.IntN(7))
		for i := range a {
			a[i] = float64(rng.IntN(9))
		}
		for i := range b {
			b[i] = float64(rng.IntN(9)) + rng.Float64()
		}
		slices.Sort(a)
		slices.Sort(b)
		var all []float64
		for _, x := range a {
			for _, y := range b {
				all = append(all, x-y)
			}
		}
		slices.Sort(all)
		for k := range all {
			near(t, "difference", kthPair(a, b, k+1, minus), all[k], 0)
		}
	}
}

func TestEffectSize(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		x, y := make([]float64, 1+rng.IntN(20)), make([]float64, 1+rng.IntN(20))
		for i := range x {
			x[i] = float64(rng.IntN(6))
		}
		for i := range y {
			y[i] = float64(rng.IntN(6))
		}
		// By its definition, pair by pair.
		delta := 0.0
		for _, a := range x {
			for _, b := range y {
				switch {
				case a > b:
					delta++
				case a < b:
					delta--
				}
			}
		}
		delta /= float64(len(x) * len(y))
		e, err := EffectSize(x, y)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "delta", e.Delta, delta, 1e-12)
		near(t, "A12", e.A12, (delta+1)/2, 1e-12)
	}
	for delta, want := range map[float64]string{0: "negligible", -0.2: "small", 0.4: "medium", -1: "large"} {
		if got := (Effect{Delta: delta}).Size(); got != want {
			t.Errorf("%v is %s, want %s", delta, got, want)
		}
	}
}

// The quick way to an end finds what ordering all values does.
func TestLowest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		all := make([]weighted, 1+rng.IntN(200))
		for i := range all {
			all[i] = weighted{float64(rng.IntN(60)) - 30, rng.Float64() / float64(len(all))}
		}
		tail := rng.Float64()
		ordered := slices.Clone(all)
		slices.SortFunc(ordered, func(v, w weighted) int { return cmp.Compare(v.value, w.value) })
		sum, want := 0.0, 0.0
		for _, w := range ordered {
			want = w.value
			if sum += w.chance; sum > tail {
				break
			}
		}
		if got := lowest(all, tail); got != want {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}
