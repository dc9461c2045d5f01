package stats

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: got %v, want %v ± %v", what, got, want, tolerance)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		xs   []float64
		want float64
	}{
		{[]float64{3}, 3},
		{[]float64{3, 1}, 2},
		{[]float64{3, 1, 2}, 2},
		{[]float64{math.MaxFloat64, math.MaxFloat64}, math.MaxFloat64},
	} {
		before := slices.Clone(c.xs)
		if got := Median(c.xs); got != c.want {
			t.Errorf("Median(%v) = %v, want %v", c.xs, got, c.want)
		}
		if !slices.Equal(before, c.xs) {
			t.Errorf("Median changed its argument")
		}
	}
	if !math.IsNaN(Median(nil)) || !math.IsNaN(Median([]float64{1, math.Inf(1)})) {
		t.Errorf("Median without a finite sample isn't NaN")
	}
}

func TestErrors(t *testing.T) {
	for _, bad := range []struct {
		xs   []float64
		want error
	}{{nil, ErrEmpty}, {[]float64{1, math.NaN()}, ErrNotFinite}, {[]float64{math.Inf(-1)}, ErrNotFinite}} {
		good := []float64{1, 2, 3}
		for name, err := range map[string]error{
			"MedianInterval": second(MedianInterval(bad.xs)),
			"Quantile":       second(Quantile(bad.xs, 0.5)),
			"Compare":        second(Compare(good, bad.xs, 1)),
			"EffectSize":     second(EffectSize(bad.xs, good)),
			"MannWhitney":    second(MannWhitney(good, bad.xs)),
			"MannKendall":    second(MannKendall(bad.xs)),
		} {
			if !errors.Is(err, bad.want) {
				t.Errorf("%s(%v): %v, want %v", name, bad.xs, err, bad.want)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }
