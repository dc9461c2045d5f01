package reports

import (
	"fmt"
	"math"
	"strconv"

	"lab/bench/results"
	"lab/bench/stats"
)

// A row is one line of the main table, as words.
type row struct {
	label  string
	trials string // "60", "57 (3 failed)", "not run"
	median string
	ends   string
	added  string // with unit
	addedE string
	ratio  string
	ratioE string
	others []string // medians of further metrics
	notRun string   // why, and the cure
	taints string   // "4 disturbed", or ""
	why    string   // what trials gave in place of a number, or ""
}

// notCompared stands where a figure would compare an emulated guest.
const notCompared = "not compared"

// rows lays out one metric, and the medians of others, one row a cell.
func (a *analysis) rows(m results.Metric, others []results.Metric) []row {
	var out []row
	for _, c := range a.cells {
		r := row{label: c.label, trials: strconv.Itoa(c.counted())}
		for range others {
			r.others = append(r.others, "")
		}
		if n := c.failures(); n > 0 {
			r.trials += fmt.Sprintf(" (%d failed)", n)
		}
		if n := c.disturbed(); n > 0 {
			r.taints = fmt.Sprintf("%d disturbed", n)
		}
		if c.NotRun != nil {
			r.trials = "not run"
			r.notRun = notRun(c)
			out = append(out, r)
			continue
		}
		if x := c.samples[m.Name]; x != nil {
			s := scaleFor(x.median.Point, m.Unit)
			r.median = s.with(x.median.Point)
			r.ends = s.span(x.median.Lo, x.median.Hi)
			if !x.median.Known() {
				r.ends = "range " + r.ends
			}
			a.fillComparison(&r, c, x, m.Unit)
		} else {
			r.why = c.why(m.Name)
		}
		for i, o := range others {
			if x := c.samples[o.Name]; x != nil {
				r.others[i] = quantity(x.median.Point, o.Unit)
			}
		}
		out = append(out, r)
	}
	return out
}

func (a *analysis) fillComparison(r *row, c *cell, x *sample, unit string) {
	switch {
	case c.isBase:
		r.added, r.ratio = "baseline", "1 ×"
	case c.tcg && c.base != nil:
		r.added, r.ratio = notCompared, notCompared
	case x.against == nil:
		r.added, r.ratio = "no "+a.baseName()+" row", ""
	default:
		d := x.against.Difference
		s := addedScale(widest(d), x.median.Point, unit)
		r.added = s.join(s.signed(d.Point))
		r.addedE = s.span(d.Lo, d.Hi)
		if !d.Known() {
			r.addedE = "range " + r.addedE
		}
		if q := x.against.Ratio; q != nil {
			r.ratio = times(q.Point)
			r.ratioE = bare.span(q.Lo, q.Hi, 1)
			if !q.Known() {
				r.ratioE = "range " + r.ratioE
			}
		}
	}
}

// widest is the number of an interval that is furthest from zero: its scale suits
// the others, too.
func widest(iv stats.Interval) float64 {
	return max(math.Abs(iv.Point), math.Abs(iv.Lo), math.Abs(iv.Hi))
}

// addedScale is milliseconds for all times, so that a column of added times
// can be compared at a glance; but for what takes less than 100 µs in all. whole
// is the figure that v is a part of.
func addedScale(v, whole float64, unit string) scale {
	switch {
	case unit == "s" && math.Abs(whole) < 100e-6:
		return scaleFor(whole, unit)
	case unit == "s":
		return milliseconds
	}
	return scaleFor(v, unit)
}

// heading is how a column for added time or amount is called.
func (a *analysis) heading(m results.Metric) string {
	if m.Unit == "s" {
		return "time added to " + a.baseName()
	}
	return "difference to " + a.baseName()
}
