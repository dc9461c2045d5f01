package reports

import (
	"fmt"
	"regexp"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/bench/results"
)

// safeName keeps a figure's name from leaving the plots folder.
var safeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]*$`)

// drawable reports whether a figure can be drawn, and if not, why.
func (a *analysis) drawable(f results.Figure) error {
	switch {
	case !safeName.MatchString(f.Name):
		return fmt.Errorf("figure %q: its name isn't a file name", f.Name)
	case f.Kind != kindDistribution && f.Kind != kindPhases && f.Kind != kindRatios && f.Kind != kindPanels && f.Kind != kindSlopes:
		return fmt.Errorf("figure %s: this lab doesn't know the kind %q", f.Name, f.Kind)
	}
	for _, name := range f.Metrics {
		if _, ok := a.metric(name); ok && f.Kind != kindPhases {
			return nil
		}
	}
	if f.Kind == kindPhases && a.whole(f).Name != "" {
		return nil
	}
	return fmt.Errorf("figure %s: nothing was measured that it could show", f.Name)
}

// plots draws all figures that can be drawn.
func (a *analysis) plots() ([]File, error) {
	var out []File
	for _, f := range a.run.Manifest.Figures {
		if a.drawable(f) != nil {
			continue
		}
		fill := (&distribution{a: a, figure: f}).draw
		switch f.Kind {
		case kindPhases:
			fill = (&stack{a: a, figure: f, metric: a.whole(f)}).draw
		case kindRatios:
			fill = (&ratios{a: a, figure: f}).draw
		case kindPanels:
			fill = (&multiple{a: a, figure: f}).draw
		case kindSlopes:
			fill = (&slopes{a: a, figure: f}).draw
		}
		files, err := drawn(f.Name, a.run.Manifest.Started, fill)
		if err != nil {
			return nil, err
		}
		out = append(out, files...)
	}
	return out, nil
}

// writeLabel puts a cell's label beside its row: the environment, what sets it
// apart from others of its kind, and the mark of emulation.
func writeLabel(p *page, c *cell, x, y vg.Length) {
	const width = labelWidth - 6
	lines := []string{boldText.fit(c.Env, width)}
	if rest := strings.TrimSpace(strings.TrimPrefix(c.Cell.Label(), c.Env)); rest != "" {
		more := bodyText.wrap(rest, width)
		if len(more) > 2 {
			more = []string{more[0], strings.Join(more[1:], " ")}
		}
		lines = append(lines, more...)
	}
	if c.tcg {
		lines = append(lines[:min(len(lines), 2)], tcgMark)
	}
	for i, l := range lines {
		st := bodyText
		if i == 0 {
			st = boldText
		}
		p.write(st, draw.XLeft, x, y+(vg.Length(i)-vg.Length(len(lines)-1)/2)*st.line(), st.fit(l, width))
	}
}

// writeLow is writeLabel for a low row: in two lines.
func writeLow(p *page, c *cell, x, y vg.Length) {
	const width = labelWidth - 6
	rest := strings.TrimSpace(strings.TrimPrefix(c.Cell.Label(), c.Env))
	if c.tcg {
		rest = strings.Join(nonEmpty(rest, tcgMark), ", ")
	}
	if rest == "" {
		p.write(boldText, draw.XLeft, x, y, boldText.fit(c.Env, width))
		return
	}
	p.write(boldText, draw.XLeft, x, y-bodyText.line()/2, boldText.fit(c.Env, width))
	p.write(bodyText, draw.XLeft, x, y+bodyText.line()/2, bodyText.fit(rest, width))
}

// hatchKey explains the hatch. It stands in the picture itself, since pictures
// are copied without the report around them.
func hatchKey(p *page, shows string) {
	y := p.y + 7
	p.hatch(grey, pageMargin, y-4, pageMargin+16, y+4)
	p.frame(grey, 0.5, pageMargin, y-4, pageMargin+16, y+4)
	x := pageMargin + 21
	for _, l := range bodyText.wrap("emulated in software (TCG): shows "+shows+", not how fast VMs are", pageWidth-pageMargin-x) {
		p.write(bodyText, draw.XLeft, x, y, l)
		y += bodyText.line()
	}
	p.y = y
}

// footer says where a picture comes from.
func footer(p *page, a *analysis) {
	m, k := a.run.Manifest, a.run.Machine
	var parts []string
	for _, x := range [][2]string{{"lab", m.Lab}, {"scenario", m.Scenario}, {"run", m.ID}} {
		if x[1] != "" {
			parts = append(parts, x[0]+" "+oneLine(x[1]))
		}
	}
	if !m.Started.IsZero() {
		parts = append(parts, m.Started.UTC().Format("2006-01-02"))
	}
	for _, s := range []string{k.CPU, k.OS, k.Kernel} {
		if s != "" {
			parts = append(parts, oneLine(s))
		}
	}
	text := strings.Join(parts, ", ")
	st := smallText
	st.size = 6.5
	p.y += 2
	p.paragraph(st, pageMargin, pageWidth-2*pageMargin, text)
}
