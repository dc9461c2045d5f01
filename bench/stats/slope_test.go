package stats

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// A line that all values lie on is found as it is.
func TestLineExact(t *testing.T) {
	at := []float64{1, 2, 4, 8}
	var xs, base [][]float64
	for _, n := range at {
		xs = append(xs, []float64{10 + 3*n, 10 + 3*n, 10 + 3*n, 10 + 3*n, 10 + 3*n, 10 + 3*n})
		base = append(base, []float64{4 + n, 4 + n, 4 + n, 4 + n, 4 + n, 4 + n})
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %v, not %v", what, got, want)
		}
	}
	l, err := LineOfMedians(at, xs, nil, 1)
	if err != nil || !l.Slope.Known() {
		t.Fatal(l, err)
	}
	near("slope", l.Slope.Point, 3)
	near("lower end", l.Slope.Lo, 3)
	near("upper end", l.Slope.Hi, 3)
	near("intercept", l.Intercept, 10)
	near("height", l.At(8), 34)
	if l, err = LineOfMedians(at, xs, base, 1); err != nil {
		t.Fatal(err)
	}
	near("difference of slopes", l.Slope.Point, 2)
	near("difference of intercepts", l.Intercept, 6)
}

// The interval has the true slope in it about as often as it says: 95 of 100.
func TestLineCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	at := []float64{1, 2, 4, 8}
	const runs = 300
	in := 0
	for run := range runs {
		var xs [][]float64
		for _, n := range at {
			var x []float64
			for range 15 {
				x = append(x, 5+2*n+rng.NormFloat64())
			}
			xs = append(xs, x)
		}
		l, err := LineOfMedians(at, xs, nil, uint64(run))
		if err != nil {
			t.Fatal(err)
		}
		if l.Slope.Lo <= 2 && 2 <= l.Slope.Hi {
			in++
		}
	}
	if share := float64(in) / runs; share < 0.91 || share > 0.995 {
		t.Errorf("%d of %d intervals have the slope: %.3f", in, runs, share)
	}
}

// Few values give a range, which has the slope through any of them.
func TestLineFew(t *testing.T) {
	l, err := LineOfMedians([]float64{1, 2}, [][]float64{{1, 3}, {10, 12}}, nil, 1)
	if err != nil || l.Slope.Known() || l.Slope.Point != 9 || l.Slope.Lo != 7 || l.Slope.Hi != 11 {
		t.Errorf("%+v, %v", l, err)
	}
	for name, x := range map[string]struct {
		at   []float64
		xs   [][]float64
		want error
	}{
		"one place":  {[]float64{2, 2}, [][]float64{{1}, {2}}, ErrNoSlope},
		"no values":  {[]float64{1, 2}, [][]float64{{1}, nil}, ErrEmpty},
		"no samples": {nil, nil, ErrEmpty},
		"infinity":   {[]float64{1, 2}, [][]float64{{1}, {math.Inf(1)}}, ErrNotFinite},
	} {
		if _, err := LineOfMedians(x.at, x.xs, nil, 1); !errors.Is(err, x.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
