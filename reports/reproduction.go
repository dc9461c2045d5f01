package reports

import (
	"maps"
	"slices"

	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

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
