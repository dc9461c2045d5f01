package reports

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// summary is one sentence: "4 agree, 1 can't be told".
func (r *Reproduction) summary() string {
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
	return fmt.Sprintf("Of the original's %s, %s.", plural(len(r.Rows), "finding"), strings.Join(parts, ", "))
}

// where says what a reader may expect of the figures.
func (r *Reproduction) where() string {
	if r.Same {
		return fmt.Sprintf("Both runs are of this machine: a finding also differs where a median that it rests on has moved by more than %s.", percent(Tolerance))
	}
	return "The runs are of different machines: outcomes are compared, not figures."
}

// Terminal writes the verdicts, and under them the medians.
func (r *Reproduction) Terminal(w io.Writer, o Options) error {
	t := &terminal{o: o}
	if t.o.Width <= 0 {
		t.o.Width = 100
	}
	t.paragraph(bold, "", "", r.summary())
	t.paragraph("", "", "", r.where())
	t.b.WriteByte('\n')
	colors := map[string]string{Agrees: green, Differs: red}
	for _, row := range r.Rows {
		color := colors[row.Verdict]
		if color == "" {
			color = yellow
		}
		text := fmt.Sprintf(" %s (%s): “%s” %s", row.Name, row.Cell, row.Statement, capital(row.Was)+row.caveats()+".")
		if row.Reason != "" {
			text = fmt.Sprintf(" %s (%s): “%s” %s.", row.Name, row.Cell, row.Statement, capital(oneLine(row.Reason)))
		}
		t.paragraph(color, capital(row.Verdict)+":", "", text)
	}
	t.b.WriteByte('\n')
	if _, err := w.Write(t.b.Bytes()); err != nil {
		return err
	}
	return r.Figures.Terminal(w, o)
}

// Markdown writes the same as a page.
func (r *Reproduction) Markdown(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Reproduced: what became of the findings\n\n%s %s\n\n", escape(r.summary()), escape(r.where()))
	b.WriteString("| finding | of | original | repeated | verdict |\n|:---|:---|:---|:---|:---|\n")
	for _, row := range r.Rows {
		verdict := "**" + row.Verdict + "**"
		if row.Reason != "" {
			verdict += ": " + escape(row.Reason)
		}
		fmt.Fprintf(&b, "| %s: “%s” | %s | %s | %s | %s |\n", escape(row.Name), escape(row.Statement), escape(row.Cell), row.Was+beside(row.WasCaveat), row.Is+beside(row.IsCaveat), verdict)
	}
	b.WriteString("\n## The medians\n\n")
	if err := r.Figures.Markdown(&b); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
