package reports

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"lab/reports/analysis"
	"lab/reports/msg"
)

// reproductionSummary is one sentence: "4 agree, 1 can't be told".
func reproductionSummary(r *analysis.Reproduction) string {
	if len(r.Rows) == 0 {
		return "The original has no findings; its figures are compared alone."
	}
	seen := map[string]int{}
	for _, row := range r.Rows {
		seen[row.Verdict]++
	}
	var parts []string
	for _, v := range slices.Sorted(maps.Keys(seen)) {
		parts = append(parts, fmt.Sprintf("%s: %d", v, seen[v]))
	}
	return fmt.Sprintf("Of the original's %s, %s.", msg.Plural(len(r.Rows), "finding"), strings.Join(parts, ", "))
}

// reproductionPlace says what a reader may expect of the figures.
func reproductionPlace(r *analysis.Reproduction) string {
	if r.Same {
		return fmt.Sprintf("Both runs are of this machine: a finding also differs where a median that it rests on has moved by more than %s.", msg.Percent(analysis.Tolerance))
	}
	return "The runs are of different machines: outcomes are compared, not figures."
}

// ReproductionTerminal writes the verdicts, and under them the medians.
func ReproductionTerminal(r *analysis.Reproduction, w io.Writer, o Options) error {
	t := &terminal{o: o}
	if t.o.Width <= 0 {
		t.o.Width = 100
	}
	t.paragraph(bold, "", "", reproductionSummary(r))
	t.paragraph("", "", "", reproductionPlace(r))
	t.b.WriteByte('\n')
	colors := map[string]string{analysis.Agrees: green, analysis.Differs: red}
	for _, row := range r.Rows {
		color := colors[row.Verdict]
		if color == "" {
			color = yellow
		}
		text := fmt.Sprintf(" %s (%s): “%s” %s", row.Name, row.Cell, row.Statement, msg.Capital(row.Was)+row.Caveats()+".")
		if row.Reason != "" {
			text = fmt.Sprintf(" %s (%s): “%s” %s.", row.Name, row.Cell, row.Statement, msg.Capital(msg.OneLine(row.Reason)))
		}
		t.paragraph(color, msg.Capital(row.Verdict)+":", "", text)
	}
	t.b.WriteByte('\n')
	if _, err := w.Write(t.b.Bytes()); err != nil {
		return err
	}
	return ContrastTerminal(r.Figures, w, o)
}

// ReproductionMarkdown writes the same as a page.
func ReproductionMarkdown(r *analysis.Reproduction, w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Reproduced: what became of the findings\n\n%s %s\n\n", escape(reproductionSummary(r)), escape(reproductionPlace(r)))
	b.WriteString("| finding | of | original | repeated | verdict |\n|:---|:---|:---|:---|:---|\n")
	for _, row := range r.Rows {
		verdict := "**" + row.Verdict + "**"
		if row.Reason != "" {
			verdict += ": " + escape(row.Reason)
		}
		fmt.Fprintf(&b, "| %s: “%s” | %s | %s | %s | %s |\n", escape(row.Name), escape(row.Statement), escape(row.Cell), row.Was+analysis.Beside(row.WasCaveat), row.Is+analysis.Beside(row.IsCaveat), verdict)
	}
	b.WriteString("\n## The medians\n\n")
	if err := ContrastMarkdown(r.Figures, &b); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
