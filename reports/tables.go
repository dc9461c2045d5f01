package reports

import (
	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

// tables is tables.md: each metric with its intervals, what times consist of, and
// each verdict with its rule.
func tables(a *analysis.Analysis) *page.Page {
	p := &page.Page{}
	p.Title(msg.T("tables.title", msg.Name(a.Run.Manifest.Scenario), a.Run.Manifest.ID))
	for i, x := range a.Metrics {
		p.Section(msg.T("title", x.Title))
		metric(p, a, x, i == 0)
	}
	answers(p, a)
	phases(p, a)
	within(p, a)
	rules(p, a)
	return p
}

// metric is a metric's table, and how far its rows lie apart. Why a row didn't run
// is said in the first.
func metric(p *page.Page, a *analysis.Analysis, m results.Metric, first bool) {
	if help := a.Help(m); !help.IsZero() {
		p.Text(help)
	}
	p.Table(metricTable(a, m, first))
	differ := []msg.Message{a.JointWhy(m.Name)}
	for _, c := range a.Cells {
		if x := c.Samples[m.Name]; x != nil && x.Against != nil && x.Against.Difference.Known() {
			k := x.Against
			if k.Difference.Method == stats.SignedRank {
				differ = append(differ, msg.T("report.effect-pairs", c.Name, c.Base.Name, k.Difference.N, msg.Number(k.Effect.Delta, 2), msg.T(effectSizes[k.Effect.Size()]), msg.Probability(k.P)))
				continue
			}
			differ = append(differ, msg.T("report.effect", c.Name, c.Base.Name, msg.Number(k.Effect.Delta, 2), msg.T(effectSizes[k.Effect.Size()]), msg.Probability(k.P)))
		}
	}
	p.Messages(differ...)
}

var effectSizes = map[string]string{"negligible": "effect.negligible", "small": "effect.small", "medium": "effect.medium", "large": "effect.large"}

// mediansTable is some metrics' medians, with their ratios to the baseline. Of
// several numbers of instances it has the least and the most.
func mediansTable(a *analysis.Analysis, metrics []results.Metric) page.Table {
	t := page.Table{Head: []page.Text{msg.T("head.environment")}}
	rows := map[*analysis.Cell][]page.Text{}
	any := map[*analysis.Cell]bool{}
	for _, m := range metrics {
		t.Head = append(t.Head, medianScale(a, m).Head(msg.T("title", m.Title)))
		for _, r := range metricRows(a, m, nil) {
			text := msg.Verbatim(r.median)
			if k := r.cell.Samples[m.Name]; r.median != "" && k.Against != nil && k.Against.Ratio != nil {
				id := "cell.median-ratio"
				if k.Against.Differs() {
					id = "cell.median-differs"
				}
				text = msg.T(id, r.median, r.ratio)
			}
			rows[r.cell] = append(rows[r.cell], text)
			any[r.cell] = any[r.cell] || r.median != ""
		}
	}
	for _, c := range a.Cells {
		if any[c] && !between(a, c) {
			t.Rows = append(t.Rows, append([]page.Text{c.Name}, rows[c]...))
		}
	}
	return t
}

// between says whether there are more and fewer instances of a cell.
func between(a *analysis.Analysis, c *analysis.Cell) bool {
	more, fewer := false, false
	for _, o := range a.Cells {
		if o.Env == c.Env && results.Label(o.Env, o.Variant, 1) == results.Label(c.Env, c.Variant, 1) && o.NotRun == nil {
			more, fewer = more || o.N > c.N, fewer || o.N < c.N
		}
	}
	return more && fewer
}

// phases is a table for each row whose time has parts.
func phases(p *page.Page, a *analysis.Analysis) {
	any := false
	for _, m := range a.Metrics {
		for _, c := range a.Cells {
			b := a.Breakdown(c, m.Name)
			if b == nil {
				continue
			}
			if !any {
				p.Section(msg.T("phases.title"))
				p.Text(msg.T("phases.how"))
				any = true
			}
			var all []float64
			for _, x := range b.Parts {
				all = append(all, x.Median)
			}
			s := msg.ScaleOf(all, m.Unit)
			t := page.Table{Head: []page.Text{msg.T("head.part", c.Name), s.Head(msg.T("head.median")), msg.T("head.share")}}
			for _, x := range b.Parts {
				t.Rows = append(t.Rows, []page.Text{x.Title, s.In(x.Median), msg.Percent(x.Share)})
			}
			if b.Apart() {
				t.Rows = append(t.Rows, []page.Text{msg.T("phases.sum"), s.In(b.Sum), msg.Percent(b.Sum / b.Whole)})
			}
			t.Rows = append(t.Rows, []page.Text{msg.T("phases.whole", m.Title), msg.T("bold", s.In(b.Whole)), nil})
			p.Table(t)
		}
	}
}

// rules are the verdicts, each with what its threshold is, and why that one.
func rules(p *page.Page, a *analysis.Analysis) {
	if len(a.Verdicts) == 0 {
		return
	}
	p.Section(msg.T("verdicts.title"))
	p.Text(msg.T("verdicts.how"))
	var items []msg.Message
	for _, v := range a.Verdicts {
		items = append(items, msg.T("verdicts.item", judgement(v), v.Finding.Statement, v.Brief()))
	}
	p.Messages(items...)
}
