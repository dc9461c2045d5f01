package reports

import (
	"bytes"
	"fmt"
	"strings"

	"lab/bench/clean"
	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

// latex is table.tex: one table a metric for a paper, in the rules of package
// booktabs, which the document must load. Figures are those of report.md.
func latex(a *analysis.Analysis) []byte {
	var b bytes.Buffer
	m := a.Run.Manifest
	fmt.Fprintf(&b, "%% lab %s, run %s, scenario %s, seed %d. Needs \\usepackage{booktabs}.\n", clean.TeXName(m.Lab), clean.TeXName(m.ID), clean.TeXName(m.Scenario), m.Seed)
	l := msg.English()
	for _, banner := range a.Banners() {
		fmt.Fprintf(&b, "%% %s\n", clean.TeXName(l.Text(banner)))
	}
	tex := msg.Markup{Escape: clean.TeX, Words: func(s string) string { // whose spaces at the ends clean.TeX takes away
		s = msg.Plain.Words(s)
		words := strings.TrimSpace(s)
		return strings.Replace(s, words, clean.TeX(words), 1)
	}}
	for _, x := range a.Metrics {
		t := metricTable(a, x, false).Without(7)
		fmt.Fprintf(&b, "\\begin{table}\n\\centering\n\\caption{%s}\n\\label{tab:%s-%s}\n", l.Render(latexCaption(a, x), tex), clean.TeXName(m.Scenario), clean.TeXName(x.Name))
		b.WriteString("\\begin{tabular}{lrrrrrr}\n\\toprule\n")
		for i, row := range append([][]page.Text{t.Head}, t.Rows...) {
			for j, c := range row {
				if j > 0 {
					b.WriteString(" & ")
				}
				b.WriteString(strings.ReplaceAll(l.Render(c, tex), " \\%", "\\,\\%"))
			}
			b.WriteString(" \\\\\n")
			if i == 0 {
				b.WriteString("\\midrule\n")
			}
		}
		b.WriteString("\\bottomrule\n\\end{tabular}\n\\end{table}\n")
	}
	return b.Bytes()
}

// latexCaption says what is in a metric's table, and what must not be left out.
func latexCaption(a *analysis.Analysis, x results.Metric) msg.Message {
	caption := msg.T("latex.caption", x.Title)
	if a.AnyTCG() {
		caption = msg.T("latex.tcg", caption, analysis.TCGMark)
	}
	return caption
}
