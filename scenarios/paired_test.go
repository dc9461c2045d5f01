package scenarios

import (
	"slices"
	"testing"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/request"
)

// Each scenario says why it can't be measured in pairs, or is one of these.
func TestAlone(t *testing.T) {
	inPairs := []string{"cpu", "disk"}
	for _, s := range All() {
		if (s.Alone == "") != slices.Contains(inPairs, s.Name) {
			t.Errorf("%s: %q", s.Name, s.Alone)
		}
		if s.Alone == "" && !s.Layout {
			t.Errorf("%s: its programs run for a while, and have one layout", s.Name)
		}
	}
	for _, s := range InPairs() {
		cells := s.Cells(bench.Options{Known: benchtest.Known})
		if got := bench.Partners(cells, func(int) bool { return true }); s.Alone != "" || !slices.Equal(got, []int{-1, 0, -1, -1}) || len(s.Metrics) < 3 {
			t.Errorf("%s: partners %v, %d metrics", s.Name, got, len(s.Metrics))
		}
	}
}

// The two trials of a pair have parts of one length, also when one of them is a guest.
func TestLongBesideGuest(t *testing.T) {
	for _, x := range []struct {
		envs   []string
		paired bool
		long   []bool
	}{
		{[]string{"host", "container"}, true, []bool{false, false}},
		{[]string{"host", "vm"}, true, []bool{true, true}},
		{[]string{"host", "vm"}, false, []bool{false, true}},
	} {
		o := bench.Options{Known: benchtest.Known, Request: request.Request{Environments: x.envs, Paired: x.paired, Variant: request.Settings{"cache": {"none"}, "machine": {"q35"}, "data": {"layer"}}}}
		for _, s := range []*bench.Scenario{CPU(), Disk()} {
			long := map[string]bool{}
			for _, c := range s.Cells(o) {
				long[c.Env] = c.Long
			}
			for i, env := range x.envs {
				if long[env] != x.long[i] {
					t.Errorf("%s of %v, paired %v: %s is long: %v", s.Name, x.envs, x.paired, env, long[env])
				}
			}
		}
	}
}
