package reports

import (
	"bytes"
	"fmt"
	"strings"

	"lab/bench/clean"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// latex is table.tex: one table a metric for a paper, in the rules of package
// booktabs, which the document must load. Figures are those of report.md.
func latex(a *analysis.Analysis) []byte {
	var b bytes.Buffer
	m := a.Run.Manifest
	fmt.Fprintf(&b, "%% lab %s, run %s, scenario %s, seed %d. Needs \\usepackage{booktabs}.\n", clean.TeXName(m.Lab), clean.TeXName(m.ID), clean.TeXName(m.Scenario), m.Seed)
	for _, banner := range a.Banners() {
		fmt.Fprintf(&b, "%% %s\n", clean.TeXName(banner))
	}
	for _, x := range a.Metrics {
		joint, _ := a.Joint(x.Name)
		fmt.Fprintf(&b, "\\begin{table}\n\\centering\n\\caption{%s: median of $n$ trials with 95\\,\\%% interval%s}\n\\label{tab:%s-%s}\n",
			clean.TeX(msg.Capital(x.Title)), clean.TeX(latexCaveat(a)), clean.TeXName(m.Scenario), clean.TeXName(x.Name))
		b.WriteString("\\begin{tabular}{lrrrrrr}\n\\toprule\n")
		fmt.Fprintf(&b, "environment & $n$ & median & 95\\,\\%% interval & %s & %s & ratio \\\\\n\\midrule\n", clean.TeX(addedHeading(a, x)), strings.ReplaceAll(clean.TeX(joint), " \\%", "\\,\\%"))
		for _, r := range metricRows(a, x, nil) {
			cells := []string{r.label, r.trials, r.median, r.ends, r.added, r.addedE, r.ratio}
			if r.notRun != "" {
				cells = []string{r.label, "not run", "", "", "", "", ""}
			}
			for i := range cells {
				cells[i] = clean.TeX(cells[i])
			}
			fmt.Fprintf(&b, "%s \\\\\n", strings.Join(cells, " & "))
		}
		b.WriteString("\\bottomrule\n\\end{tabular}\n\\end{table}\n")
	}
	return b.Bytes()
}

// latexCaveat is what a caption must not leave out.
func latexCaveat(a *analysis.Analysis) string {
	if a.AnyTCG() {
		return "; rows marked " + analysis.TCGMark + " were emulated in software and say nothing about the speed of virtual machines"
	}
	return ""
}
