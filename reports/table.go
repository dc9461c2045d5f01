package reports

import (
	"math"
	"slices"

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
	added  msg.Message
	addedE msg.Message
	ratio  msg.Message
	ratioE msg.Message
	others []string // medians of further metrics
	judged bool     // its ratio may be shown anywhere
}

// metricRows lays out one metric, and the medians of others, one row a cell. Each column
// has one unit: medians [medianScale]'s, differences [addedScale]'s.
func metricRows(a *analysis.Analysis, m results.Metric, others []results.Metric) []row {
	var out []row
	s, added := medianScale(a, m), addedScale(a, m)
	units := make([]msg.Scale, len(others))
	for i, o := range others {
		units[i] = medianScale(a, o)
	}
	for _, c := range a.Cells {
		r := row{cell: c, others: make([]string, len(others)), judged: true}
		if x := c.Samples[m.Name]; x != nil && c.NotRun == nil {
			r.median = analysis.MiddleIn(m, x, s)
			if len(m.Words) == 0 { // words have no ends, and no difference
				r.ends = analysis.SpanOf(x.Median, s)
				r.compare(a, x, m, added)
			}
		}
		for i, o := range others {
			if x := c.Samples[o.Name]; x != nil {
				r.others[i] = analysis.MiddleIn(o, x, units[i])
			}
		}
		out = append(out, r)
	}
	return out
}

func (r *row) compare(a *analysis.Analysis, x *analysis.Sample, m results.Metric, s msg.Scale) {
	switch {
	case r.cell.IsBase:
		r.added, r.ratio = msg.T("cell.baseline"), msg.Verbatim("1 ×")
	case m.Certain() && r.cell.Base != nil && r.cell.Base.Samples[m.Name] != nil:
		r.added = msg.Verbatim(s.SignedIn(x.Median.Point - r.cell.Base.Samples[m.Name].Median.Point))
	case r.cell.Base != nil && (r.cell.TCG || x.Against == nil && r.cell.Whole != r.cell.Base.Whole):
		r.added, r.ratio, r.judged = msg.T("cell.not-compared"), msg.T("cell.not-compared"), false
	case x.Against == nil:
		r.added = msg.T("cell.no-base", a.BaseName())
	default:
		d := x.Against.Difference
		r.added, r.addedE = msg.Verbatim(s.SignedIn(d.Point)), analysis.SpanOf(d, s)
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

// fast is the ratio, unless the row isn't compared.
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

// medianScale is the unit of a metric's medians.
func medianScale(a *analysis.Analysis, m results.Metric) msg.Scale {
	var all []float64
	for _, c := range a.Cells {
		if x := c.Samples[m.Name]; x != nil && c.NotRun == nil {
			all = append(all, x.Median.Point)
		}
	}
	return scaleOf(all, m)
}

// addedScale is the unit of the differences to the baseline.
func addedScale(a *analysis.Analysis, m results.Metric) msg.Scale {
	var all []float64
	for _, c := range a.Cells {
		switch x := c.Samples[m.Name]; {
		case x == nil || c.NotRun != nil || c.TCG:
		case m.Certain() && c.Base != nil && c.Base.Samples[m.Name] != nil:
			all = append(all, x.Median.Point-c.Base.Samples[m.Name].Median.Point)
		case x.Against != nil:
			all = append(all, widest(x.Against.Difference))
		}
	}
	return scaleOf(all, m)
}

// scaleOf is a column's, but that answers have no unit, and what is counted one by one
// is written as it is.
func scaleOf(column []float64, m results.Metric) msg.Scale {
	if len(m.Words) > 0 || m.Certain() && m.Unit == "1" {
		return msg.Bare
	}
	return msg.ScaleOf(column, m.Unit)
}

// medianHeading is how the column of the medians is called, and addedHeading that for
// added time or amount.
func medianHeading(a *analysis.Analysis, m results.Metric) msg.Message {
	return medianScale(a, m).Head(msg.T("head.median"))
}

func addedHeading(a *analysis.Analysis, m results.Metric) msg.Message {
	id := "head.difference"
	if m.Unit == "s" {
		id = "head.time-added"
	}
	return addedScale(a, m).Head(msg.T(id, a.BaseName()))
}

// metricTable is a metric's, with the reasons of rows that didn't run if given.
func metricTable(a *analysis.Analysis, m results.Metric, reasons bool) page.Table {
	joint := msg.T("head.interval", a.Joint(m.Name))
	t := page.Table{Head: []page.Text{msg.T("head.environment"), msg.T("head.trials"), medianHeading(a, m), msg.T("head.interval", "95 %"),
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

// sentences are what the run shows about its headline metric, one for each
// cell that has values.
func sentences(a *analysis.Analysis) []msg.Message {
	var out []msg.Message
	for _, c := range a.Cells {
		if len(a.Metrics) == 0 {
			break
		}
		m := a.Metrics[0]
		x := c.Samples[m.Name]
		if x == nil {
			continue
		}
		s := msg.ScaleFor(x.Median.Point, m.Unit)
		middle, ends := analysis.Middle(m, x), analysis.Ends(x.Median, s)
		text := msg.T("sentence.row", c.Name, m.Title, middle, ends, msg.T("trials", len(x.Values)))
		switch {
		case x.Median.Method == stats.Agreed:
			text = msg.T("sentence.agreed", c.Name, m.Title, middle, ends)
		case x.Grouped():
			text = msg.T("sentence.groups", c.Name, m.Title, x.InGroups(m.Unit), middle, ends)
		}
		switch {
		case c.TCG:
			text = msg.Join("join.comma", text, consists(a, c, m.Name))
		case x.Against != nil:
			text = msg.T("join.comma", text, against(c, x.Against, m.Unit))
			if n := analysis.GroupsNote(m.Name, c.Base, c); !n.IsZero() {
				text = msg.T("sentence.of-medians", text, n)
			}
		}
		out = append(out, msg.T("sentence", text))
	}
	if len(out) == 0 {
		out = append(out, msg.T("nothing-measured"))
	}
	return out
}

// against says how a cell lies to its baseline: first what is added, then the
// ratio.
func against(c *analysis.Cell, k *stats.Comparison, unit string) msg.Message {
	d := k.Difference
	s := msg.ScaleFor(widest(d), unit)
	switch {
	case !d.Known():
		return msg.T("against.cant-tell", c.Base.Name, analysis.NeedsMore(d))
	case !k.Differs():
		return msg.T("against.none", c.Base.Name, analysis.Ends(d, s))
	}
	id := "against.more"
	if d.Point < 0 {
		id = "against.less"
		d.Point, d.Lo, d.Hi = -d.Point, -d.Hi, -d.Lo
	}
	text := msg.T(id, s.With(d.Point), c.Base.Name, analysis.Ends(d, s))
	if k.Ratio == nil {
		return text
	}
	id = "against.as-much"
	if unit == "s" {
		id = "against.time"
	}
	return msg.T(id, text, msg.Times(k.Ratio.Point), msg.Bare.Span(k.Ratio.Lo, k.Ratio.Hi, 1))
}

// consists says what an emulated guest's start is made of: its largest parts.
func consists(a *analysis.Analysis, c *analysis.Cell, metric string) msg.Message {
	b := a.Breakdown(c, metric)
	if b == nil {
		return msg.Message{}
	}
	largest := append([]analysis.Part(nil), b.Parts...)
	analysis.SortParts(largest)
	var texts []msg.Message
	for _, p := range largest[:min(3, len(largest))] {
		texts = append(texts, msg.T("phases.share", msg.Percent(p.Share), p.Title))
	}
	return msg.T("sentence.of-which", msg.Join("join.comma", texts...))
}

// answer is the run in three sentences: what differs most in the headline metric,
// which is drawn below, what that means for what people say, and how far to trust it.
func answer(a *analysis.Analysis) []msg.Message {
	if f := firstMatrix(a); f != nil {
		return append([]msg.Message{answeredBy(a.Matrix(*f))}, answerCounts(a)...)
	}
	var out []msg.Message
	var most analysis.Pair
	far := 0.0
	for _, p := range a.Pairs {
		if p.Metric != a.Metrics[0].Name || p.To != p.Row.Base || p.Row.TCG || p.To.TCG {
			continue
		}
		k := p.Row.Samples[p.Metric].Against
		if k == nil || !k.Differs() || k.Ratio == nil || k.Ratio.Point <= 0 {
			continue
		}
		if d := math.Abs(math.Log(k.Ratio.Point)); d > far {
			far, most = d, p
		}
	}
	switch {
	case far > 0:
		x, _ := a.Metric(most.Metric)
		c := most.Row
		s := c.Samples[x.Name]
		out = append(out, msg.T("answer.most", c.Name, c.Base.Name, x.Title, msg.Quantity(s.Median.Point, x.Unit), against(c, s.Against, x.Unit)))
	case len(a.Metrics) > 0 && len(a.Cells) > 1:
		out = append(out, msg.T("answer.none", a.BaseName()))
	case len(a.Metrics) > 0:
		out = append(out, sentences(a)[0])
	}
	return append(out, answerCounts(a)...)
}

// answeredBy counts the answers in words, row by row.
func answeredBy(m analysis.Matrix) msg.Message {
	var rows []msg.Message
	for i, c := range m.Cells {
		n := map[string]int{}
		var order []string
		for _, r := range slices.Backward(m.Rows[0].Metric.Words) {
			order = append(order, r)
		}
		for _, r := range m.Rows {
			n[r.Answers[i].Word]++
		}
		var said []msg.Message
		for _, w := range order {
			if n[w] > 0 {
				said = append(said, msg.T("answer.word", w, n[w]))
			}
		}
		if said != nil {
			rows = append(rows, msg.T("join.colon", c.Name, msg.Join("join.comma", said...)))
		}
	}
	return msg.T("answer.asked", len(m.Rows), msg.Join("join.semicolon", rows...))
}

// answerCounts says how many statements hold, and how many trials there were.
func answerCounts(a *analysis.Analysis) (out []msg.Message) {
	counts := map[string]int{}
	for _, v := range a.Verdicts {
		counts[v.Outcome]++
	}
	var said []msg.Message
	count := func(id, outcome string) {
		if n := counts[outcome]; n > 0 {
			said = append(said, msg.T(id, n))
		}
	}
	count("answer.hold", analysis.Holds)
	count("answer.fail", analysis.Fails)
	count("answer.undecided", analysis.Undecided)
	count("answer.unmeasured", analysis.Unmeasured)
	if len(said) > 0 {
		out = append(out, msg.T("answer.statements", msg.T("statements", len(a.Verdicts)), msg.Join("join.comma", said...)))
	}
	disturbed, counted, failed := 0, 0, 0
	for _, c := range a.Cells {
		disturbed, counted, failed = disturbed+c.Disturbed(), counted+c.Counted(), failed+c.Failures()
	}
	trust := msg.T("answer.counted", msg.T("trials", counted))
	if failed > 0 {
		trust = msg.T("answer.failed", trust, failed)
	}
	switch {
	case counted == 0:
		return append(out, msg.T("nothing-measured"))
	case disturbed == 0:
		return append(out, msg.T("answer.quiet", trust))
	}
	return append(out, msg.T("answer.disturbed", disturbed, trust))
}
