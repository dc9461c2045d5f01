package stats

import "testing"

// The intervals are those that R's binom.test prints.
func TestShare(t *testing.T) {
	for _, c := range []struct {
		k, n   int
		lo, hi float64
	}{
		{0, 10, 0, 0.3084971},
		{10, 10, 0.6915029, 1},
		{5, 10, 0.1870860, 0.8129140},
		{682, 925, 0.7076683, 0.7654066},
	} {
		iv, err := Share(c.k, c.n)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "lower end", iv.Lo, c.lo, 1e-6)
		near(t, "upper end", iv.Hi, c.hi, 1e-6)
	}
	for _, bad := range [][2]int{{1, 0}, {-1, 3}, {4, 3}} {
		if _, err := Share(bad[0], bad[1]); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}
