package scenarios

import "testing"

// An instance is at full speed after its last slow pass of the first half.
func TestSettled(t *testing.T) {
	for _, x := range []struct {
		took               []float64
		first, later, slow float64
	}{
		{[]float64{9, 1, 1, 1, 1, 1, 1, 1}, 9, 1, 9},
		{[]float64{9, 1, 2, 1, 1, 1, 1, 1}, 9, 1, 12},
		{[]float64{1, 1, 1, 1, 1, 1, 1, 5}, 1, 1, 0},
		{[]float64{3, 2}, 3, 2, 3},
	} {
		first, later, slow := settled(x.took)
		if first != x.first || later != x.later || slow != x.slow {
			t.Errorf("%v: first %v, later %v, slow %v", x.took, first, later, slow)
		}
	}
}
