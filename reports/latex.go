package reports

import (
	"bytes"
	"fmt"
	"strings"
)

// latex is table.tex: one table a metric for a paper, in the rules of package
// booktabs, which the document must load. Figures are those of report.md.
func latex(a *analysis) []byte {
	var b bytes.Buffer
	m := a.run.Manifest
	fmt.Fprintf(&b, "%% lab %s, run %s, scenario %s, seed %d. Needs \\usepackage{booktabs}.\n", comment(m.Lab), comment(m.ID), comment(m.Scenario), m.Seed)
	for _, banner := range a.banners() {
		fmt.Fprintf(&b, "%% %s\n", comment(banner))
	}
	for _, x := range a.metrics {
		joint, _ := a.joint(x.Name)
		fmt.Fprintf(&b, "\\begin{table}\n\\centering\n\\caption{%s: median of $n$ trials with 95\\,\\%% interval%s}\n\\label{tab:%s-%s}\n",
			tex(capital(x.Title)), tex(a.caveat()), comment(m.Scenario), comment(x.Name))
		b.WriteString("\\begin{tabular}{lrrrrrr}\n\\toprule\n")
		fmt.Fprintf(&b, "environment & $n$ & median & 95\\,\\%% interval & %s & %s & ratio \\\\\n\\midrule\n", tex(a.heading(x)), strings.ReplaceAll(tex(joint), " \\%", "\\,\\%"))
		for _, r := range a.rows(x, nil) {
			cells := []string{r.label, r.trials, r.median, r.ends, r.added, r.addedE, r.ratio}
			if r.notRun != "" {
				cells = []string{r.label, "not run", "", "", "", "", ""}
			}
			for i := range cells {
				cells[i] = tex(cells[i])
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

// tex keeps what comes from outside from being taken for LaTeX, in plain ASCII
// where older engines need it.
var texts = strings.NewReplacer("\\", "\\textbackslash{}", "{", "\\{", "}", "\\}", "$", "\\$", "&", "\\&", "#", "\\#",
	"_", "\\_", "%", "\\%", "^", "\\textasciicircum{}", "~", "\\textasciitilde{}", "<", "\\textless{}", ">", "\\textgreater{}",
	"µ", "\\textmu{}", "×", "$\\times$", "−", "$-$", "±", "$\\pm$", "“", "``", "”", "''", "–", "--", "—", "---", "→", "$\\to$", "…", "\\dots{}")

func tex(s string) string { return texts.Replace(oneLine(s)) }

// comment keeps a comment, or a label, on its line.
func comment(s string) string {
	return strings.NewReplacer("{", "", "}", "", "\\", "", "%", "").Replace(oneLine(s))
}
