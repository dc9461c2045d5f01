package scenarios

import (
	"errors"
	"testing"

	"lab/bench"
)

// What a machine has no room for isn't started, and the reason names what is short.
func TestDensityRoom(t *testing.T) {
	for _, c := range []bench.Cell{{N: 1 << 30}, {N: 1 << 20, Guest: true}} {
		var unfit *bench.UnfitError
		if err := densityFits(c); !errors.As(err, &unfit) || unfit.Cure == "" {
			t.Errorf("%d: %v", c.N, err)
		}
	}
	if err := densityFits(bench.Cell{N: 1}); err != nil {
		t.Errorf("one: %v", err)
	}
}
