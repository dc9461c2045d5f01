package plot

import (
	"regexp"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// kinds are all kinds of figures that can be drawn. Others are left out, and
// report.md says so: an older lab may read a newer one's folder.
var kinds = map[string]func(*sheet) figure{
	analysis.KindDistribution: newDistribution,
	analysis.KindPhases:       newPhases,
	analysis.KindRatios:       newRatios,
	analysis.KindPanels:       newPanels,
	analysis.KindSlopes:       newSlopes,
	analysis.KindMatrix:       newMatrix,
	analysis.KindSteps:        newSteps,
}

// A figure is one kind's way to draw. Around it a title, a key and a footer are
// drawn for all of them. It is asked several times: to learn its height, and for each
// format.
type figure interface {
	// shows reports whether there is anything to draw.
	shows() bool
	// panels draws the emulated rows, or the others.
	panels(p *page, tcg bool)
	// below is what must be said below the panels.
	below() []msg.Message
	// explain adds marks to the key.
	explain(k *key)
}

// A sheet is what all kinds of figures begin with.
type sheet struct {
	a      *analysis.Analysis
	figure results.Figure
	used   struct{ disturbed, warmup, interval, span, groups, tcg bool } // marks that need a key
}

func (s *sheet) shows() bool { return len(s.metrics()) > 0 }

// metrics are those of the figure that have values.
func (s *sheet) metrics() (out []results.Metric) {
	for _, name := range s.figure.Metrics {
		if m, ok := s.a.Metric(name); ok {
			out = append(out, m)
		}
	}
	return out
}

// cells are the emulated rows, or the others.
func (s *sheet) cells(tcg bool) (out []*analysis.Cell) {
	for _, c := range s.a.FigureCells(s.figure) {
		if c.TCG == tcg {
			out = append(out, c)
		}
	}
	return out
}

// below says which rows a picture hasn't got, and why.
func (s *sheet) below() (out []msg.Message) {
	for _, c := range s.a.Cells {
		if c.NotRun != nil {
			out = append(out, msg.T("join.colon", c.Name, analysis.NotRun(c)))
		}
	}
	return out
}

// lacks says why a row has no value of a metric.
func lacks(c *analysis.Cell, metric string) msg.Message {
	switch why := c.Why(metric); {
	case c.NotRun != nil:
		return analysis.NotRun(c)
	case !why.IsZero():
		return why
	case c.Counted() == 0 && c.Failures() > 0:
		return msg.T("all-failed", msg.T("trials", c.Failures()))
	}
	return msg.T("cell.no-values")
}

// safeName keeps a figure's name from leaving the plots folder.
var safeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]*$`)

// Undrawable says why a figure can't be drawn, or nothing.
func Undrawable(a *analysis.Analysis, f results.Figure) msg.Message {
	_, why := figureOf(a, f)
	return why
}

func figureOf(a *analysis.Analysis, f results.Figure) (fill func(*page), why msg.Message) {
	if !safeName.MatchString(f.Name) {
		return nil, msg.T("plot.bad-name", f.Name)
	}
	make, ok := kinds[f.Kind]
	if !ok {
		return nil, msg.T("plot.unknown-kind", f.Name, f.Kind)
	}
	s := &sheet{a: a, figure: f}
	x := make(s)
	if !x.shows() {
		return nil, msg.T("plot.nothing", f.Name)
	}
	return func(p *page) {
		p.heading(f.Title, f.Caption)
		x.panels(p, false)
		x.panels(p, true)
		p.notes(x.below())
		p.y += 6
		k := newKey(p, 5)
		x.explain(k)
		k.end()
		if s.used.tcg {
			hatchKey(p, a.TCGShows())
		}
		footer(p, a)
	}, msg.Message{}
}

// Draw draws all figures of a run that can be drawn, in a language.
func Draw(a *analysis.Analysis, l *msg.Language) ([]File, error) {
	var out []File
	for _, f := range a.Run.Manifest.Figures {
		fill, why := figureOf(a, f)
		if !why.IsZero() {
			continue
		}
		files, err := drawn(f.Name, a.Run.Manifest.Started, l, fill)
		if err != nil {
			return nil, err
		}
		out = append(out, files...)
	}
	files, err := Guesses(a, l)
	return append(out, files...), err
}

// SVG draws one figure alone; nil if it can't be drawn.
func SVG(a *analysis.Analysis, f results.Figure, l *msg.Language) []byte {
	fill, why := figureOf(a, f)
	if !why.IsZero() {
		return nil
	}
	b, _ := svg(measured(l, fill), l, fill)
	return b
}

// writeLabel puts a cell's label beside its row: the environment, what sets it
// apart from others of its kind, and its mark; in two lines if low.
func writeLabel(p *page, c *analysis.Cell, x, y vg.Length, low bool) {
	const width = labelWidth - 6
	lines := []string{c.Env}
	rest := strings.TrimSpace(strings.TrimPrefix(c.Cell.Label(), c.Env))
	mark := p.say(c.Mark)
	if low {
		lines = append(lines, strings.Join(msg.NonEmpty(rest, mark), ", "))
	} else {
		if more := bodyText.wrap(rest, width); len(more) > 2 {
			lines = append(lines, more[0], strings.Join(more[1:], " "))
		} else {
			lines = append(lines, more...)
		}
		if mark != "" {
			lines = append(lines[:min(len(lines), 2)], mark)
		}
	}
	lines = msg.NonEmpty(lines...)
	for i, l := range lines {
		st := bodyText
		if i == 0 {
			st = boldText
		}
		p.write(st, draw.XLeft, x, y+(vg.Length(i)-vg.Length(len(lines)-1)/2)*st.line(), st.fit(l, width))
	}
}

// hatchKey explains the hatch. It stands in the picture itself, since pictures
// are copied without the report around them.
func hatchKey(p *page, shows msg.Message) {
	y := p.y + 7
	p.hatch(grey, pageMargin, y-4, pageMargin+16, y+4)
	p.frame(grey, 0.5, pageMargin, y-4, pageMargin+16, y+4)
	x := pageMargin + 21
	for _, l := range bodyText.wrap(p.say(msg.T("key.hatch", shows)), pageWidth-pageMargin-x) {
		p.write(bodyText, draw.XLeft, x, y, l)
		y += bodyText.line()
	}
	p.y = y
}

// footer says where a picture comes from.
func footer(p *page, a *analysis.Analysis) {
	m, k := a.Run.Manifest, a.Run.Machine
	var parts []msg.Message
	add := func(id, text string) {
		if text != "" {
			parts = append(parts, msg.T(id, msg.Name(msg.OneLine(text))))
		}
	}
	add("footer.lab", m.Lab)
	add("footer.scenario", m.Scenario)
	add("footer.run", m.ID)
	if !m.Started.IsZero() {
		parts = append(parts, msg.Verbatim(m.Started.UTC().Format("2006-01-02")))
	}
	for _, s := range msg.NonEmpty(k.CPU, k.OS, k.Kernel) {
		parts = append(parts, msg.Verbatim(msg.OneLine(s)))
	}
	p.footer(msg.Join("join.comma", parts...))
}

func (p *page) footer(text msg.Message) {
	st := smallText
	st.size = 6.5
	p.y += 2
	p.paragraph(st, pageMargin, pageWidth-2*pageMargin, text)
}
