package reports

import (
	"bytes"
	"fmt"
	"strings"

	"lab/bench/clean"
)

// latex is table.tex: one table a metric for a paper, in the rules of package
// booktabs, which the document must load. Figures are those of report.md.
func latex(a *analysis) []byte {
	var b bytes.Buffer
	m := a.run.Manifest
	fmt.Fprintf(&b, "%% lab %s, run %s, scenario %s, seed %d. Needs \\usepackage{booktabs}.\n", clean.TeXName(m.Lab), clean.TeXName(m.ID), clean.TeXName(m.Scenario), m.Seed)
	for _, banner := range a.banners() {
		fmt.Fprintf(&b, "%% %s\n", clean.TeXName(banner))
	}
	for _, x := range a.metrics {
		joint, _ := a.joint(x.Name)
		fmt.Fprintf(&b, "\\begin{table}\n\\centering\n\\caption{%s: median of $n$ trials with 95\\,\\%% interval%s}\n\\label{tab:%s-%s}\n",
			clean.TeX(capital(x.Title)), clean.TeX(a.caveat()), clean.TeXName(m.Scenario), clean.TeXName(x.Name))
		b.WriteString("\\begin{tabular}{lrrrrrr}\n\\toprule\n")
		fmt.Fprintf(&b, "environment & $n$ & median & 95\\,\\%% interval & %s & %s & ratio \\\\\n\\midrule\n", clean.TeX(a.heading(x)), strings.ReplaceAll(clean.TeX(joint), " \\%", "\\,\\%"))
		for _, r := range a.rows(x, nil) {
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

// caveat is what a caption must not leave out.
func (a *analysis) caveat() string {
	if a.anyTCG() {
		return "; rows marked " + tcgMark + " were emulated in software and say nothing about the speed of virtual machines"
	}
	return ""
}
