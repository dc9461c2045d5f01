package reports

import (
	"fmt"
	"strings"

	"lab/bench/stats"
)

// sentences are what the run shows about its headline metric, one for each
// cell that has values.
func (a *analysis) sentences() []string {
	if len(a.metrics) == 0 {
		return []string{"Nothing was measured."}
	}
	m := a.metrics[0]
	var out []string
	for _, c := range a.cells {
		x := c.samples[m.Name]
		if x == nil {
			continue
		}
		s := scaleFor(x.median.Point, m.Unit)
		text := fmt.Sprintf("**%s**: %s %s (%s, %s)", escape(c.label), escape(lower(m.Title)), s.with(x.median.Point),
			ends(x.median, s), plural(len(x.values), "trial"))
		if x.grouped() {
			text = fmt.Sprintf("**%s**: %s %s; their common median, %s (%s), describes neither", escape(c.label), escape(lower(m.Title)),
				x.inGroups(m.Unit), s.with(x.median.Point), ends(x.median, s))
		}
		switch {
		case c.tcg:
			text += escape(a.consists(c, m.Name))
		case x.against != nil:
			text += ", " + escape(against(c, x.against, m.Unit))
			if n := groupsNote(m.Name, c.base, c); n != "" {
				text += " (of medians: " + escape(n) + ")"
			}
		}
		out = append(out, text+", "+here+".")
	}
	return out
}

// against says how a cell lies to its baseline: first what is added, then the
// ratio.
func against(c *cell, k *stats.Comparison, unit string) string {
	d := k.Difference
	s := scaleFor(widest(d), unit)
	if !d.Known() {
		return fmt.Sprintf("whether it differs from %s %s", c.base.label, cantTell(d))
	}
	if !k.Differs() {
		return fmt.Sprintf("no difference from %s was found (%s)", c.base.label, ends(d, s))
	}
	word := "more"
	if d.Point < 0 {
		word = "less"
		d.Point, d.Lo, d.Hi = -d.Point, -d.Hi, -d.Lo
	}
	text := fmt.Sprintf("%s %s than %s (%s)", s.with(d.Point), word, c.base.label, ends(d, s))
	if k.Ratio == nil {
		return text
	}
	if unit == "s" {
		return text + fmt.Sprintf(": it takes %s the time (%s)", times(k.Ratio.Point), bare.span(k.Ratio.Lo, k.Ratio.Hi, 1))
	}
	return text + fmt.Sprintf(": %s as much (%s)", times(k.Ratio.Point), bare.span(k.Ratio.Lo, k.Ratio.Hi, 1))
}

// consists says what an emulated guest's start is made of: its largest parts.
func (a *analysis) consists(c *cell, metric string) string {
	b := a.breakdown(c, metric)
	if b == nil {
		return ""
	}
	largest := b.parts
	if len(largest) > 1 {
		largest = append([]part(nil), largest...)
		sortParts(largest)
	}
	var texts []string
	for _, p := range largest[:min(3, len(largest))] {
		texts = append(texts, percent(p.share)+" "+p.title)
	}
	return ", of which " + strings.Join(texts, ", ")
}
