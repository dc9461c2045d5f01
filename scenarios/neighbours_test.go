package scenarios

import (
	"errors"
	"runtime"
	"testing"

	"lab/bench"
	"lab/bench/cgroup"
)

// The victim's and the neighbour's limits are what the row is called, and what the
// run is held to isn't widened.
func TestNeighboursLimits(t *testing.T) {
	var mine, theirs bench.Limits
	if err := neighboursLimit("shares", &mine, &theirs); err != nil || mine.CPUWeight != 100*theirs.CPUWeight || theirs.Pids == 0 {
		t.Errorf("shares: %+v, %+v, %v", mine, theirs, err)
	}
	if runtime.NumCPU() > 1 {
		mine, theirs = bench.Limits{}, bench.Limits{}
		err := neighboursLimit("cpuset", &mine, &theirs)
		if a, b := cgroup.CPUs(mine.CPUSet), cgroup.CPUs(theirs.CPUSet); err != nil || len(a) != 1 || len(b) != 1 || a[0] == b[0] {
			t.Errorf("cpuset: %+v, %+v, %v", mine, theirs, err)
		}
	}
	mine = bench.Limits{CPUSet: "0"}
	var unfit *bench.UnfitError
	if err := neighboursLimit("cpuset", &mine, &theirs); !errors.As(err, &unfit) {
		t.Errorf("a run held to a processor: %v", err)
	}
}
