package reports

import (
	"fmt"
	"math"
	"strconv"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
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

// metricRows lays out one metric, and the medians of others, one row a cell.
func metricRows(a *analysis.Analysis, m results.Metric, others []results.Metric) []row {
	var out []row
	for _, c := range a.Cells {
		r := row{label: c.Name, trials: strconv.Itoa(c.Counted())}
		for range others {
			r.others = append(r.others, "")
		}
		if n := c.Failures(); n > 0 {
			r.trials += fmt.Sprintf(" (%d failed)", n)
		}
		if n := c.Disturbed(); n > 0 {
			r.taints = fmt.Sprintf("%d disturbed", n)
		}
		if c.NotRun != nil {
			r.trials = "not run"
			r.notRun = analysis.NotRun(c)
			out = append(out, r)
			continue
		}
		if x := c.Samples[m.Name]; x != nil {
			s := msg.ScaleFor(x.Median.Point, m.Unit)
			r.median = s.With(x.Median.Point)
			r.ends = s.Span(x.Median.Lo, x.Median.Hi)
			if !x.Median.Known() {
				r.ends = "range " + r.ends
			}
			fillComparison(a, &r, c, x, m.Unit)
		} else {
			r.why = c.Why(m.Name)
		}
		for i, o := range others {
			if x := c.Samples[o.Name]; x != nil {
				r.others[i] = msg.Quantity(x.Median.Point, o.Unit)
			}
		}
		out = append(out, r)
	}
	return out
}

func fillComparison(a *analysis.Analysis, r *row, c *analysis.Cell, x *analysis.Sample, unit string) {
	switch {
	case c.IsBase:
		r.added, r.ratio = "baseline", "1 ×"
	case c.TCG && c.Base != nil:
		r.added, r.ratio = notCompared, notCompared
	case x.Against == nil:
		r.added, r.ratio = "no "+a.BaseName()+" row", ""
	default:
		d := x.Against.Difference
		s := addedScale(widest(d), x.Median.Point, unit)
		r.added = s.Join(s.Signed(d.Point))
		r.addedE = s.Span(d.Lo, d.Hi)
		if !d.Known() {
			r.addedE = "range " + r.addedE
		}
		if q := x.Against.Ratio; q != nil {
			r.ratio = msg.Times(q.Point)
			r.ratioE = msg.Bare.Span(q.Lo, q.Hi, 1)
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
func addedScale(v, whole float64, unit string) msg.Scale {
	switch {
	case unit == "s" && math.Abs(whole) < 100e-6:
		return msg.ScaleFor(whole, unit)
	case unit == "s":
		return msg.Milliseconds
	}
	return msg.ScaleFor(v, unit)
}

// addedHeading is how a column for added time or amount is called.
func addedHeading(a *analysis.Analysis, m results.Metric) string {
	if m.Unit == "s" {
		return "time added to " + a.BaseName()
	}
	return "difference to " + a.BaseName()
}
