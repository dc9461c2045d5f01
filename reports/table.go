package reports

import (
	"math"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

// A row is one line of a metric's table: a cell, and what it is made of.
type row struct {
	cell   *analysis.Cell
	median string
	ends   msg.Message
	added  msg.Message // with unit
	addedE msg.Message
	ratio  msg.Message
	ratioE msg.Message
	others []string // medians of further metrics
	judged bool     // it isn't emulated: its ratio may be shown anywhere
}

// metricRows lays out one metric, and the medians of others, one row a cell.
func metricRows(a *analysis.Analysis, m results.Metric, others []results.Metric) []row {
	var out []row
	for _, c := range a.Cells {
		r := row{cell: c, others: make([]string, len(others)), judged: true}
		if x := c.Samples[m.Name]; x != nil && c.NotRun == nil {
			s := msg.ScaleFor(x.Median.Point, m.Unit)
			r.median, r.ends = s.With(x.Median.Point), analysis.SpanOf(x.Median, s)
			r.compare(a, x, m.Unit)
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

func (r *row) compare(a *analysis.Analysis, x *analysis.Sample, unit string) {
	switch {
	case r.cell.IsBase:
		r.added, r.ratio = msg.T("cell.baseline"), msg.Verbatim("1 ×")
	case r.cell.TCG && r.cell.Base != nil:
		r.added, r.ratio, r.judged = msg.T("cell.not-compared"), msg.T("cell.not-compared"), false
	case x.Against == nil:
		r.added = msg.T("cell.no-base", a.BaseName())
	default:
		d := x.Against.Difference
		s := addedScale(widest(d), x.Median.Point, unit)
		r.added, r.addedE = msg.Verbatim(s.Signed(d.Point)), analysis.SpanOf(d, s)
		if q := x.Against.Ratio; q != nil {
			r.ratio, r.ratioE = msg.Verbatim(msg.Times(q.Point)), analysis.SpanOf(*q, msg.Bare, 1)
		}
	}
}

// trials is how many there are, and how many failed.
func (r *row) trials() msg.Message {
	switch n := r.cell.Failures(); {
	case r.cell.NotRun != nil:
		return msg.T("cell.not-run")
	case n > 0:
		return msg.T("cell.failed", r.cell.Counted(), n)
	}
	return msg.Message{Args: []any{r.cell.Counted()}}
}

// fast is the ratio, unless the row is emulated.
func (r *row) fast() msg.Message {
	if r.judged {
		return r.ratio
	}
	return msg.Message{}
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
func addedHeading(a *analysis.Analysis, m results.Metric) msg.Message {
	if m.Unit == "s" {
		return msg.T("head.time-added", a.BaseName())
	}
	return msg.T("head.difference", a.BaseName())
}

// metricTable is a metric's, with the reasons of rows that didn't run if given.
func metricTable(a *analysis.Analysis, m results.Metric, reasons bool) page.Table {
	joint := msg.T("head.interval", a.Joint(m.Name))
	t := page.Table{Head: []page.Text{msg.T("head.environment"), msg.T("head.trials"), msg.T("head.median"), msg.T("head.interval", "95 %"),
		addedHeading(a, m), joint, msg.T("head.ratio", a.BaseName()), joint}}
	for _, r := range metricRows(a, m, nil) {
		trials, median := r.trials(), page.Text(r.median)
		if n := r.cell.Disturbed(); n > 0 && r.cell.NotRun == nil {
			trials = msg.Join("join.comma", trials, msg.T("cell.disturbed", n))
		}
		if r.cell.NotRun != nil && reasons {
			trials = analysis.NotRun(r.cell)
		}
		if r.median == "" && r.cell.NotRun == nil {
			median = r.cell.Why(m.Name)
		}
		t.Rows = append(t.Rows, []page.Text{r.cell.Name, trials, median, r.ends, r.added, r.addedE, r.ratio, r.ratioE})
	}
	return t
}
