package analysis

import (
	"maps"
	"slices"

	"lab/bench/results"
)

// metricsOf are the metrics of several runs, each as most of these runs describe it: one of
// them may be somebody else's, and what it says of a metric isn't to be said of the others'
// figures. Those that half of the runs have come first.
func metricsOf(all []*Analysis) (out []results.Metric) {
	by := map[string][]results.Metric{}
	var order []string
	for _, a := range all {
		for _, x := range a.Metrics {
			if by[x.Name] == nil {
				order = append(order, x.Name)
			}
			by[x.Name] = append(by[x.Name], x)
		}
	}
	slices.SortStableFunc(order, func(a, b string) int {
		rank := func(name string) int { return min(2*len(by[name])/len(all), 1) }
		return rank(b) - rank(a)
	})
	for _, name := range order {
		n := map[string]int{}
		said := func(x results.Metric) string { return x.Unit + "\n" + x.Better + "\n" + x.Title }
		best := by[name][0]
		for _, x := range by[name] {
			n[said(x)]++
		}
		for _, x := range by[name] {
			if n[said(x)] > n[said(best)] {
				best = x
			}
		}
		out = append(out, best)
	}
	return out
}

// alike is a row of a run with those of its samples that are in the unit and direction of
// the runs' metrics; others is a name of those that aren't.
func (m *Machines) alike(a *Analysis, c *Cell) (same *Cell, others []string) {
	for _, x := range m.Metrics {
		y, ok := a.Metric(x.Name)
		if ok && c.Samples[x.Name] != nil && (y.Unit != x.Unit || y.Better != x.Better) {
			others = append(others, x.Name)
		}
	}
	if others == nil {
		return c, nil
	}
	copied := *c
	copied.Samples = maps.Clone(c.Samples)
	for _, name := range others {
		delete(copied.Samples, name)
	}
	return &copied, others
}
