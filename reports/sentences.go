package reports

import (
	"fmt"
	"strings"

	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// sentences are what the run shows about its headline metric, one for each
// cell that has values.
func sentences(a *analysis.Analysis) []string {
	if len(a.Metrics) == 0 {
		return []string{"Nothing was measured."}
	}
	m := a.Metrics[0]
	var out []string
	for _, c := range a.Cells {
		x := c.Samples[m.Name]
		if x == nil {
			continue
		}
		s := msg.ScaleFor(x.Median.Point, m.Unit)
		text := fmt.Sprintf("**%s**: %s %s (%s, %s)", escape(c.Name), escape(msg.Lower(m.Title)), s.With(x.Median.Point),
			analysis.Ends(x.Median, s), msg.Plural(len(x.Values), "trial"))
		if x.Grouped() {
			text = fmt.Sprintf("**%s**: %s %s; their common median, %s (%s), describes neither", escape(c.Name), escape(msg.Lower(m.Title)),
				x.InGroups(m.Unit), s.With(x.Median.Point), analysis.Ends(x.Median, s))
		}
		switch {
		case c.TCG:
			text += escape(consists(a, c, m.Name))
		case x.Against != nil:
			text += ", " + escape(against(c, x.Against, m.Unit))
			if n := analysis.GroupsNote(m.Name, c.Base, c); n != "" {
				text += " (of medians: " + escape(n) + ")"
			}
		}
		out = append(out, text+", "+analysis.Here+".")
	}
	return out
}

// against says how a cell lies to its baseline: first what is added, then the
// ratio.
func against(c *analysis.Cell, k *stats.Comparison, unit string) string {
	d := k.Difference
	s := msg.ScaleFor(widest(d), unit)
	if !d.Known() {
		return fmt.Sprintf("whether it differs from %s %s", c.Base.Name, analysis.NeedsMore(d))
	}
	if !k.Differs() {
		return fmt.Sprintf("no difference from %s was found (%s)", c.Base.Name, analysis.Ends(d, s))
	}
	word := "more"
	if d.Point < 0 {
		word = "less"
		d.Point, d.Lo, d.Hi = -d.Point, -d.Hi, -d.Lo
	}
	text := fmt.Sprintf("%s %s than %s (%s)", s.With(d.Point), word, c.Base.Name, analysis.Ends(d, s))
	if k.Ratio == nil {
		return text
	}
	if unit == "s" {
		return text + fmt.Sprintf(": it takes %s the time (%s)", msg.Times(k.Ratio.Point), msg.Bare.Span(k.Ratio.Lo, k.Ratio.Hi, 1))
	}
	return text + fmt.Sprintf(": %s as much (%s)", msg.Times(k.Ratio.Point), msg.Bare.Span(k.Ratio.Lo, k.Ratio.Hi, 1))
}

// consists says what an emulated guest's start is made of: its largest parts.
func consists(a *analysis.Analysis, c *analysis.Cell, metric string) string {
	b := a.Breakdown(c, metric)
	if b == nil {
		return ""
	}
	largest := b.Parts
	if len(largest) > 1 {
		largest = append([]analysis.Part(nil), largest...)
		analysis.SortParts(largest)
	}
	var texts []string
	for _, p := range largest[:min(3, len(largest))] {
		texts = append(texts, msg.Percent(p.Share)+" "+p.Title)
	}
	return ", of which " + strings.Join(texts, ", ")
}
