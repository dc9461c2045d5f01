package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/results"
)

// pairs finds the two sets of processors of a run of pairs: those that were asked for,
// or the first two that the lab may use; rather two cores than two threads of one. A
// resumed run and a run's later sessions have those of the first.
func (r *Runner) pairs() error {
	m := r.Manifest
	if !r.Options.Paired {
		m.Paired = nil
		return nil
	}
	may, err := bench.Processors()
	if err != nil {
		return fmt.Errorf("--paired: which processors the lab may use: %w", err)
	}
	if asked := cgroup.CPUs(string(r.Options.CPUs)); len(asked) > 0 {
		may = slices.DeleteFunc(asked, func(n int) bool { return !slices.Contains(may, n) })
	}
	p, err := sides(may, bench.Siblings)
	if err != nil {
		return err
	}
	if was := m.Paired; was != nil && !slices.Equal(was.CPUs, p.CPUs) {
		return fmt.Errorf("--paired: pairs ran on processors %s when the run began, and would run on %s now; fix: begin a new run", strings.Join(was.CPUs, " and "), strings.Join(p.CPUs, " and "))
	}
	m.Paired = p
	return nil
}

// sides picks two processors; threads lists those of a processor's core.
func sides(may []int, threads func(cpu int) []int) (*results.Paired, error) {
	if len(may) < 2 {
		return nil, errors.New("--paired: a pair's trials have one processor each, and the lab may use fewer than two; fix: leave it out")
	}
	second, same := bench.OtherCore(may, threads)
	return &results.Paired{CPUs: []string{fmt.Sprint(may[0]), fmt.Sprint(second)}, SameCore: same}, nil
}

// planned are the limits with which a cell is planned: in a run of pairs those that its
// first trial may have.
func (r *Runner) planned(c bench.Cell) bench.Limits {
	l := r.limits(c)
	if p := r.Manifest.Paired; p != nil && !c.Alone {
		l.CPUSet = p.CPUs[0]
	}
	return l
}
