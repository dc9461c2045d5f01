package reports

import (
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

// answers are the tables of what is an answer in words: those of the figures that
// show them.
func answers(p *page.Page, a *analysis.Analysis) {
	for _, f := range a.Run.Manifest.Figures {
		if f.Kind != analysis.KindMatrix {
			continue
		}
		m := a.Matrix(f)
		if len(m.Rows) == 0 {
			continue
		}
		p.Section(msg.T("title", f.Title))
		t := page.Table{Head: []page.Text{msg.T("head.probe")}}
		for _, c := range m.Cells {
			t.Head = append(t.Head, c.Short())
		}
		for _, r := range m.Rows {
			row := []page.Text{msg.Verbatim(r.Metric.Title)}
			for _, x := range r.Answers {
				row = append(row, x.Word)
			}
			t.Rows = append(t.Rows, row)
		}
		p.Table(t)
	}
}
