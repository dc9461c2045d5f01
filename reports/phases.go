package reports

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"lab/bench/stats"
)

// A breakdown is what a cell's median time is made of.
type breakdown struct {
	whole float64 // the metric's median
	n     int     // trials that it rests on
	parts []part  // in the order of time, "other" last
	over  bool    // the parts' medians add up to more than the whole's
}

// A part is one phase.
type part struct {
	name   string // as in the results
	title  string // as printed
	median float64
	share  float64 // of the whole, or of the parts' sum where that is larger
}

// other is the part that no phase accounts for.
const other = "other"

// breakdown takes the medians of a metric's parts over the counted trials, and
// adds what is missing to the whole's median as "other". It is nil without parts.
// Medians needn't add up as single trials do, so that "other" holds that
// difference, too; where they add up to more, shares are of their sum.
func (a *analysis) breakdown(c *cell, metric string) *breakdown {
	s := c.samples[metric]
	if s == nil {
		return nil
	}
	b := &breakdown{whole: s.median.Point, n: len(s.values)}
	values := map[string][]float64{}
	withParts := 0
	for _, t := range c.trials {
		if !t.counts() || len(t.parts[metric]) == 0 {
			continue
		}
		withParts++
		for name, v := range t.parts[metric] {
			values[name] = append(values[name], v)
		}
	}
	sum := 0.0
	for _, name := range c.partOrder(metric) {
		vs := values[name]
		if len(vs) == 0 || name == other {
			continue
		}
		// A phase that some trials don't have took no time in those.
		for len(vs) < withParts {
			vs = append(vs, 0)
		}
		p := part{name: name, title: a.partTitle(name), median: max(0, stats.Median(vs))}
		sum += p.median
		b.parts = append(b.parts, p)
	}
	if len(b.parts) == 0 || b.whole <= 0 {
		return nil
	}
	if rest := b.whole - sum; rest > b.whole*1e-6 {
		b.parts = append(b.parts, part{name: other, title: other, median: rest})
		sum = b.whole
	} else {
		b.over = rest < -b.whole*1e-3
	}
	for i := range b.parts {
		b.parts[i].share = b.parts[i].median / sum
	}
	return b
}

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
