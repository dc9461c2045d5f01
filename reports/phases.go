package reports

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
)

// A breakdown is what a cell's time is made of.
type breakdown struct {
	whole float64 // the metric's median
	sum   float64 // of the parts' medians
	n     int     // trials that it rests on
	parts []part  // in the order of time, "other" last
}

// A part is one phase.
type part struct {
	name   string // as in the results
	title  string // as printed
	median float64
	share  float64 // of the whole's median
}

// other is the part that no phase accounts for.
const other = "other"

// breakdown takes the medians of a metric's parts over the counted trials.
// What a trial's parts leave of its whole is that trial's "other", a part like
// the rest. So each trial's parts sum to its whole; but medians needn't add up as
// single trials do: a share is of the whole's median, which is what a reader
// divides by, and what the shares leave of 100 % (or have beyond) is shown. It is
// nil without parts.
func (a *analysis) breakdown(c *cell, metric string) *breakdown {
	s := c.samples[metric]
	if s == nil || s.median.Point <= 0 {
		return nil
	}
	b := &breakdown{whole: s.median.Point}
	order := c.partOrder(metric)
	values := map[string][]float64{}
	for _, t := range c.trials {
		whole, ok := t.values[metric]
		if !ok || !t.counts() || len(t.parts[metric]) == 0 {
			continue
		}
		b.n++
		rest := whole
		for _, name := range order {
			// A phase that a trial doesn't have took no time in it.
			v := t.parts[metric][name]
			if name != other {
				values[name] = append(values[name], v)
				rest -= v
			}
		}
		values[other] = append(values[other], rest)
	}
	if b.n == 0 {
		return nil
	}
	for _, name := range append(slices.DeleteFunc(order, func(n string) bool { return n == other }), other) {
		p := part{name: name, title: a.partTitle(name), median: max(0, stats.Median(values[name]))}
		if name == other && p.median < b.whole*1e-3 {
			continue // the clock's own steps
		}
		b.sum += p.median
		b.parts = append(b.parts, p)
	}
	if !(b.sum > 0) || math.IsInf(b.sum, 0) {
		return nil
	}
	for i := range b.parts {
		b.parts[i].share = b.parts[i].median / b.whole
	}
	return b
}

// apart reports whether the parts' medians sum to something else than the
// whole's median, by more than a reader would take for rounding.
func (b *breakdown) apart() bool { return math.Abs(b.sum-b.whole) > 0.05*b.whole }

// partOrder lists a metric's parts in the order that their lines' seq gives,
// then by name.
func (c *cell) partOrder(metric string) []string {
	seq := c.seqs[metric]
	return slices.SortedFunc(maps.Keys(seq), func(x, y string) int {
		return cmp.Or(cmp.Compare(seq[x], seq[y]), strings.Compare(x, y))
	})
}

func (a *analysis) partTitle(name string) string {
	if m, ok := a.described(name); ok && m.Title != "" {
		return m.Title
	}
	return strings.NewReplacer("_", " ").Replace(name)
}

// shares is a part's share of the whole, one value a counted trial.
func shares(c *cell, metric, name string) []float64 {
	var out []float64
	for _, t := range c.trials {
		whole, ok := t.values[metric]
		if !t.counts() || !ok || whole <= 0 || len(t.parts[metric]) == 0 {
			continue
		}
		v := t.parts[metric][name]
		if _, given := t.parts[metric][name]; name == other && !given {
			v = whole
			for _, p := range t.parts[metric] {
				v -= p
			}
		}
		out = append(out, v/whole)
	}
	return out
}

// sortParts puts the largest first.
func sortParts(parts []part) {
	slices.SortStableFunc(parts, func(x, y part) int { return cmp.Compare(y.median, x.median) })
}

// whole is the metric whose parts a figure shows: the first one that has any.
func (a *analysis) whole(f results.Figure) results.Metric {
	for _, name := range f.Metrics {
		for _, c := range a.cells {
			if m, ok := a.metric(name); ok && a.breakdown(c, name) != nil {
				return m
			}
		}
	}
	return results.Metric{}
}
