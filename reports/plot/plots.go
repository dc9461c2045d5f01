package plot

import (
	"fmt"
	"regexp"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// safeName keeps a figure's name from leaving the plots folder.
var safeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]*$`)

// Drawable reports whether a figure can be drawn, and if not, why.
func Drawable(a *analysis.Analysis, f results.Figure) error {
	switch {
	case !safeName.MatchString(f.Name):
		return fmt.Errorf("figure %q: its name isn't a file name", f.Name)
	case f.Kind != analysis.KindDistribution && f.Kind != analysis.KindPhases && f.Kind != analysis.KindRatios && f.Kind != analysis.KindPanels && f.Kind != analysis.KindSlopes:
		return fmt.Errorf("figure %s: this lab doesn't know the kind %q", f.Name, f.Kind)
	}
	for _, name := range f.Metrics {
		if _, ok := a.Metric(name); ok && f.Kind != analysis.KindPhases {
			return nil
		}
	}
	if f.Kind == analysis.KindPhases && a.Whole(f).Name != "" {
		return nil
	}
	return fmt.Errorf("figure %s: nothing was measured that it could show", f.Name)
}

// Draw draws all figures that can be drawn.
func Draw(a *analysis.Analysis) ([]File, error) {
	var out []File
	for _, f := range a.Run.Manifest.Figures {
		if Drawable(a, f) != nil {
			continue
		}
		fill := (&distribution{a: a, figure: f}).draw
		switch f.Kind {
		case analysis.KindPhases:
			fill = (&stack{a: a, figure: f, metric: a.Whole(f)}).draw
		case analysis.KindRatios:
			fill = (&ratios{a: a, figure: f}).draw
		case analysis.KindPanels:
			fill = (&multiple{a: a, figure: f}).draw
		case analysis.KindSlopes:
			fill = (&slopes{a: a, figure: f}).draw
		}
		files, err := drawn(f.Name, a.Run.Manifest.Started, fill)
		if err != nil {
			return nil, err
		}
		out = append(out, files...)
	}
	return out, nil
}

// writeLabel puts a cell's label beside its row: the environment, what sets it
// apart from others of its kind, and the mark of emulation.
func writeLabel(p *page, c *analysis.Cell, x, y vg.Length) {
	const width = labelWidth - 6
	lines := []string{boldText.fit(c.Env, width)}
	if rest := strings.TrimSpace(strings.TrimPrefix(c.Cell.Label(), c.Env)); rest != "" {
		more := bodyText.wrap(rest, width)
		if len(more) > 2 {
			more = []string{more[0], strings.Join(more[1:], " ")}
		}
		lines = append(lines, more...)
	}
	if c.TCG {
		lines = append(lines[:min(len(lines), 2)], analysis.TCGMark)
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
func writeLow(p *page, c *analysis.Cell, x, y vg.Length) {
	const width = labelWidth - 6
	rest := strings.TrimSpace(strings.TrimPrefix(c.Cell.Label(), c.Env))
	if c.TCG {
		rest = strings.Join(msg.NonEmpty(rest, analysis.TCGMark), ", ")
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
func footer(p *page, a *analysis.Analysis) {
	m, k := a.Run.Manifest, a.Run.Machine
	var parts []string
	for _, x := range [][2]string{{"lab", m.Lab}, {"scenario", m.Scenario}, {"run", m.ID}} {
		if x[1] != "" {
			parts = append(parts, x[0]+" "+msg.OneLine(x[1]))
		}
	}
	if !m.Started.IsZero() {
		parts = append(parts, m.Started.UTC().Format("2006-01-02"))
	}
	for _, s := range []string{k.CPU, k.OS, k.Kernel} {
		if s != "" {
			parts = append(parts, msg.OneLine(s))
		}
	}
	text := strings.Join(parts, ", ")
	st := smallText
	st.size = 6.5
	p.y += 2
	p.paragraph(st, pageMargin, pageWidth-2*pageMargin, text)
}
