package analysis

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/msg"
)

// A Breakdown is what a cell's time is made of.
type Breakdown struct {
	Whole float64 // the metric's median
	Sum   float64 // of the parts' medians
	N     int     // trials that it rests on
	Parts []Part  // in the order of time, "other" last
}

// A Part is one phase.
type Part struct {
	Name   string      // as in the results
	Title  msg.Message // as printed
	Median float64
	Share  float64 // of the whole's median
}

// Other is the part that no phase accounts for.
const Other = "other"

// Breakdown takes the medians of a metric's parts over the counted trials.
// What a trial's parts leave of its whole is that trial's "other", a part like
// the rest. So each trial's parts sum to its whole; but medians needn't add up as
// single trials do: a share is of the whole's median, which is what a reader
// divides by, and what the shares leave of 100 % (or have beyond) is shown. It is
// nil without parts.
func (a *Analysis) Breakdown(c *Cell, metric string) *Breakdown {
	s := c.Samples[metric]
	if s == nil || s.Median.Point <= 0 {
		return nil
	}
	b := &Breakdown{Whole: s.Median.Point}
	order := c.partOrder(metric)
	values := map[string][]float64{}
	for _, t := range c.Made {
		whole, ok := t.Values[metric]
		if !ok || !t.Counts() || len(t.parts[metric]) == 0 {
			continue
		}
		b.N++
		rest := whole
		for _, name := range order {
			// A phase that a trial doesn't have took no time in it.
			v := t.parts[metric][name]
			if name != Other {
				values[name] = append(values[name], v)
				rest -= v
			}
		}
		values[Other] = append(values[Other], rest)
	}
	if b.N == 0 {
		return nil
	}
	for _, name := range append(slices.DeleteFunc(order, func(n string) bool { return n == Other }), Other) {
		p := Part{Name: name, Title: a.partTitle(name), Median: max(0, stats.Median(values[name]))}
		if name == Other && p.Median < b.Whole*1e-3 {
			continue // the clock's own steps
		}
		b.Sum += p.Median
		b.Parts = append(b.Parts, p)
	}
	if !(b.Sum > 0) || math.IsInf(b.Sum, 0) {
		return nil
	}
	for i := range b.Parts {
		b.Parts[i].Share = b.Parts[i].Median / b.Whole
	}
	return b
}

// Apart reports whether the parts' medians sum to something else than the
// whole's median, by more than a reader would take for rounding.
func (b *Breakdown) Apart() bool { return math.Abs(b.Sum-b.Whole) > 0.05*b.Whole }

// partOrder lists a metric's parts in the order that their lines' seq gives,
// then by name.
func (c *Cell) partOrder(metric string) []string {
	seq := c.seqs[metric]
	return slices.SortedFunc(maps.Keys(seq), func(x, y string) int {
		return cmp.Or(cmp.Compare(seq[x], seq[y]), strings.Compare(x, y))
	})
}

func (a *Analysis) partTitle(name string) msg.Message {
	m, ok := a.described(name)
	switch {
	case ok && m.Title != "":
		return msg.Verbatim(m.Title)
	case name == Other:
		return msg.T("phases.other")
	}
	return msg.Verbatim(strings.ReplaceAll(name, "_", " "))
}

// shares is a part's share of the whole, one value a counted trial.
func shares(c *Cell, metric, name string) []float64 {
	var out []float64
	for _, t := range c.Made {
		whole, ok := t.Values[metric]
		if !t.Counts() || !ok || whole <= 0 || len(t.parts[metric]) == 0 {
			continue
		}
		v := t.parts[metric][name]
		if _, given := t.parts[metric][name]; name == Other && !given {
			v = whole
			for _, p := range t.parts[metric] {
				v -= p
			}
		}
		out = append(out, v/whole)
	}
	return out
}

// SortParts puts the largest first.
func SortParts(parts []Part) {
	slices.SortStableFunc(parts, func(x, y Part) int { return cmp.Compare(y.Median, x.Median) })
}

// Whole is the metric whose parts a figure shows: the first one that has any.
func (a *Analysis) Whole(f results.Figure) results.Metric {
	for _, name := range f.Metrics {
		for _, c := range a.Cells {
			if m, ok := a.Metric(name); ok && a.Breakdown(c, name) != nil {
				return m
			}
		}
	}
	return results.Metric{}
}
