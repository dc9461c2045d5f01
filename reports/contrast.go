package reports

import (
	"cmp"
	"encoding/csv"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"

	"lab/bench/clean"
	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

// Contrast is a page on two runs, or two rows of one run.
func Contrast(c *analysis.Contrast) *page.Page {
	p := &page.Page{}
	contrast(p, c)
	return p
}

func contrast(p *page.Page, c *analysis.Contrast) {
	p.Mark(page.Bold, "A:", c.A)
	p.Mark(page.Bold, "B:", c.B)
	p.Gap()
	wide := page.Table{Align: "llrrrrl", Head: []page.Text{msg.T("head.row"), msg.T("head.metric"), msg.T("head.median-of", "A"), msg.T("head.median-of", "B"),
		"B / A", msg.T("head.ratio-interval"), msg.T("head.verdict")}}
	narrow := page.Table{Align: "lrrrl", Head: []page.Text{page.Lines{msg.T("head.row-and"), msg.T("head.metric")}, wide.Head[2], wide.Head[3],
		page.Lines{"B / A,", wide.Head[5]}, page.Wrapped{Text: wide.Head[6], Width: 8}}}
	for _, r := range c.Rows {
		median := func(iv stats.Interval) string {
			if iv.N == 0 {
				return ""
			}
			return msg.Quantity(iv.Point, r.Metric.Unit)
		}
		a, b, verdict := median(r.A), median(r.B), analysis.VerdictText(r.Verdict)
		var ratio, span page.Text
		switch {
		case !r.Compared():
		case r.Ratio != nil:
			ratio, span = msg.Times(r.Ratio.Point), msg.Bare.Span(r.Ratio.Lo, r.Ratio.Hi, 1)
		default: // no ratio of what may be zero
			s := msg.ScaleFor(r.Difference.Point, r.Metric.Unit)
			ratio, span = s.Signed(r.Difference.Point), s.Join(s.Span(r.Difference.Lo, r.Difference.Hi))
		}
		if r.Verdict != analysis.NoDifference && r.Verdict != analysis.TooFewTrials {
			verdict = msg.T("bold", verdict)
		}
		wide.Rows = append(wide.Rows, []page.Text{r.Cell, r.Metric.Name, a, b, ratio, span, verdict})
		narrow.Rows = append(narrow.Rows, []page.Text{page.Lines{page.Wrapped{Text: r.Cell, Width: 26}, r.Metric.Name}, a, b,
			page.Lines{ratio, span}, page.Wrapped{Text: verdict, Width: 14}})
	}
	p.Table(wide, narrow)
	p.Gap()
	reasons(p, c.Reasons())
	if len(c.Differs) > 0 {
		p.Subsection(msg.T("contrast.differs"))
		var items []msg.Message
		for _, d := range c.Differs {
			items = append(items, differsIn(d))
		}
		p.Messages(items...)
		p.Subsection(msg.T("contrast.notes"))
	}
	p.Messages(append(c.Notes, rule(c)...)...)
}

func differsIn(d analysis.Difference) msg.Message {
	return msg.T("contrast.differs-in", d.What, cmp.Or(d.A, "—"), cmp.Or(d.B, "—"))
}

// rule says when a row is called different.
func rule(c *analysis.Contrast) []msg.Message {
	out := []msg.Message{msg.T("contrast.rule")}
	least, most := math.MaxInt, 0
	for _, r := range c.Rows {
		if r.Compared() {
			least, most = min(least, r.Family), max(most, r.Family)
		}
	}
	if most < 2 {
		return out
	}
	of := msg.Verbatim(strconv.Itoa(most))
	if least < most {
		of = msg.T("span", least, most)
	}
	id := "contrast.family"
	if c.AllTogether {
		id = "contrast.family-all"
	}
	return append(out, msg.T(id, of))
}

// ContrastCSV writes one line a row, in base units; what there isn't is empty.
func ContrastCSV(c *analysis.Contrast, w io.Writer) error {
	out := csv.NewWriter(w)
	out.Write([]string{"a", "b", "cell", "metric", "unit", "better",
		"n_a", "median_a", "lo_a", "hi_a", "n_b", "median_b", "lo_b", "hi_b",
		"difference", "difference_lo", "difference_hi", "ratio", "ratio_lo", "ratio_hi",
		"cliffs_delta", "p", "family", "verdict", "reason"})
	say := msg.English().Text
	for _, r := range c.Rows {
		row := []string{c.A, c.B, say(r.Cell), r.Metric.Name, r.Metric.Unit, r.Metric.Better}
		for _, iv := range []stats.Interval{r.A, r.B} {
			row = append(append(row, strconv.Itoa(iv.N)), ends(iv, iv.N > 0)...)
		}
		ratio := cmp.Or(r.Ratio, &stats.Interval{})
		row = append(append(row, ends(r.Difference, r.Difference.N > 0)...), ends(*ratio, ratio.N > 0)...)
		if r.Compared() {
			row = append(row, exact(r.Effect.Delta), exact(r.P), strconv.Itoa(r.Family))
		} else {
			row = append(row, "", "", "")
		}
		out.Write(clean.Fields(append(row, r.Verdict, say(r.Reason))))
	}
	out.Flush()
	return out.Error()
}

// Reproduction is a page on what became of a run's findings, and of its medians.
func Reproduction(r *analysis.Reproduction) *page.Page {
	p := &page.Page{}
	p.Title(msg.T("reproduction.title"))
	if len(r.Rows) == 0 {
		p.Text(msg.T("reproduction.no-findings"))
	} else {
		seen := map[string]int{}
		for _, row := range r.Rows {
			seen[row.Verdict]++
		}
		var parts []msg.Message
		for _, v := range slices.Sorted(maps.Keys(seen)) {
			parts = append(parts, msg.T("reproduction.count", analysis.VerdictText(v), seen[v]))
		}
		p.Text(msg.T("reproduction.summary", msg.T("findings", len(r.Rows)), msg.Join("join.comma", parts...)))
	}
	if r.Same {
		p.Text(msg.T("reproduction.same-machine", msg.Percent(analysis.Tolerance)))
	} else {
		p.Text(msg.T("reproduction.other-machine"))
	}
	p.Gap()
	for _, rows := range r.Grouped() {
		row := rows[0]
		color := page.Yellow
		switch row.Verdict {
		case analysis.Agrees:
			color = page.Green
		case analysis.Differs:
			color = page.Red
		}
		verdict := msg.T("title", analysis.VerdictText(row.Verdict))
		of := func(row analysis.ReproductionRow) msg.Message {
			return msg.T("reproduction.finding", row.Name, row.Cell, row.Statement)
		}
		if len(rows) == 1 {
			p.Mark(color, msg.T("mark.head", verdict), msg.T("reproduction.row", of(row), row.Why()))
			continue
		}
		p.Mark(color, msg.T("reproduction.head", verdict, len(rows)), msg.T("sentence", row.Why()))
		var all []msg.Message
		for _, row := range rows {
			all = append(all, of(row))
		}
		p.Messages(all...)
	}
	p.Gap()
	p.Section(msg.T("reproduction.medians"))
	contrast(p, r.Figures)
	return p
}
