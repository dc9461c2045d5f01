package analysis

import (
	"testing"

	"lab/bench/results"
	"lab/bench/stats"
)

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		compare, op string
		threshold   float64
		lo, hi      float64
		want        string
	}{
		{"ratio", "below", 2, 1, 1.9, Holds},
		{"ratio", "below", 2, 1, 2, Undecided},
		{"ratio", "below", 2, 2, 3, Fails},
		{"ratio", "above", 2, 2.1, 3, Holds},
		{"ratio", "above", 2, 1.9, 3, Undecided},
		{"ratio", "above", 2, 1, 2, Fails},
		{"ratio", "within", 0.05, 0.95, 1.05, Holds},
		{"ratio", "within", 0.05, 0.94, 1, Undecided},
		{"ratio", "within", 0.05, 1.06, 1.2, Fails},
		{"ratio", "within", 0.05, 0.8, 0.94, Fails},
		{"difference", "within", 1, -1, 0.5, Holds},
		{"difference", "within", 1, -3, -2, Fails},
		{"value", "sideways", 1, 0, 2, Undecided},
	} {
		f := results.Finding{Compare: c.compare, Op: c.op, Threshold: c.threshold}
		iv := stats.Interval{Lo: c.lo, Hi: c.hi, Point: (c.lo + c.hi) / 2, Method: stats.Bootstrap, N: 60}
		if got := decide(f, iv); got != c.want {
			t.Errorf("%s %s %v of %v to %v: %s, want %s", c.compare, c.op, c.threshold, c.lo, c.hi, got, c.want)
		}
		iv.Method = stats.Range
		if got := decide(f, iv); got != Undecided {
			t.Errorf("a range decides: %s", got)
		}
	}
}
