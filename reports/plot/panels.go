package plot

import (
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// Panels draw several metrics side by side, each in a small panel with an
// axis of its own: the rows are the cells, the same in every panel, and are named
// once, at the left. Every trial is a point; below stand the median and its
// interval, above in words.
//
// Emulated guests have panels of their own, hatched, in which their axes begin
// anew.
type panels struct {
	*sheet
	notes []msg.Message // what had no room in its row
}

func newPanels(s *sheet) figure { return &panels{sheet: s} }

const (
	panelsAbreast = 3
	panelRow      = vg.Length(25)
	panelLabel    = 34 * vg.Millimeter
	panelGap      = vg.Length(9)
)

// panels draws those of the emulated cells, or of the others.
func (f *panels) panels(p *page, tcg bool) {
	cells := f.cells(tcg)
	metrics := f.metrics()
	if tcg {
		metrics = slices.DeleteFunc(metrics, func(m results.Metric) bool { return len(values(cells, m.Name)) == 0 })
	}
	if len(cells) == 0 || len(metrics) == 0 {
		return
	}
	if tcg {
		f.used.tcg = true
		p.y += 4
		p.paragraph(boldText, pageMargin+2, pageWidth-2*pageMargin, msg.T("plot.own-axes", analysis.TCGMark))
	}
	// Lines of panels as equal as may be: four are two and two.
	lines := (len(metrics) + panelsAbreast - 1) / panelsAbreast
	many := (len(metrics) + lines - 1) / lines
	width := (pageWidth - 2*pageMargin - panelLabel - panelGap*vg.Length(many-1)) / vg.Length(many)
	for abreast := range slices.Chunk(metrics, many) {
		f.abreast(p, cells, abreast, width, tcg)
	}
}

// abreast draws up to three panels, and the rows' names before them.
func (f *panels) abreast(p *page, cells []*analysis.Cell, metrics []results.Metric, width vg.Length, tcg bool) {
	from := pageMargin + panelLabel
	lines := 1
	for _, m := range metrics {
		lines = max(lines, len(f.title(p, m, width)))
	}
	p.y += 7 + boldText.line()*vg.Length(lines) + smallText.line()
	top := p.y
	bottom := top + panelRow*vg.Length(len(cells))
	to := from + (width+panelGap)*vg.Length(len(metrics)) - panelGap
	p.bands(pageMargin, to, top, panelRow, len(cells))
	for i, c := range cells {
		writeNarrow(p, c.Cell.Label(), pageMargin+2, top+panelRow*(vg.Length(i)+0.5), panelLabel-8)
	}
	for i, m := range metrics {
		x := f.axis(values(cells, m.Name), m.Unit)
		x.left = from + (width+panelGap)*vg.Length(i)
		x.right = x.left + width
		f.panel(p, cells, m, x, top, bottom, tcg)
	}
	p.y = bottom + 17
}

func (f *panels) title(p *page, m results.Metric, width vg.Length) []string {
	return boldText.wrap(p.say(msg.T("title", m.Title)), width)
}

// panel draws one metric.
func (f *panels) panel(p *page, cells []*analysis.Cell, m results.Metric, x axis, top, bottom vg.Length, tcg bool) {
	y := top - smallText.line()
	lines := f.title(p, m, x.right-x.left)
	for i, l := range lines {
		p.write(boldText, draw.XLeft, x.left, y-boldText.line()*(vg.Length(len(lines)-i)-0.5), l)
	}
	switch m.Better {
	case "lower":
		p.write(smallText, draw.XLeft, x.left, top-smallText.line()/2, msg.T("plot.lower-better"))
	case "higher":
		p.write(smallText, draw.XLeft, x.left, top-smallText.line()/2, msg.T("plot.higher-better"))
	}
	if tcg {
		p.hatch(faint, x.left, top, x.right, bottom)
	}
	p.grid(x, top, bottom, smallText, panelGap/2-4)
	for i, c := range cells {
		f.row(p, c, m, x, top+panelRow*vg.Length(i), i)
	}
}

// axis is a panel's. A linear one begins at zero, so that noise looks no larger than
// it is; a logarithmic one ends at round values, so that it has two at least.
func (f *panels) axis(values []float64, unit string) axis {
	if !f.figure.Log {
		return newAxis(append(values, 0), false, unit)
	}
	above := slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return v < tiniest })
	if len(above) > 0 {
		values = append(values, roundDown(slices.Min(above)), roundUp(slices.Max(above)))
	}
	return newAxis(values, true, unit)
}

// roundDown is the next of 1, 2, 5, 10, … at or below a value, and roundUp the next
// at or above it.
func roundDown(v float64) float64 {
	e := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{5, 2} {
		if m*e <= v {
			return m * e
		}
	}
	return e
}

func roundUp(v float64) float64 {
	e := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*e >= v {
			return m * e
		}
	}
	return 10 * e
}

// row draws one cell in one panel.
func (f *panels) row(p *page, c *analysis.Cell, m results.Metric, x axis, y vg.Length, i int) {
	say := func(st style, t any) { // no grid and no hatch behind words
		text := st.fit(p.say(t), x.right-x.left-4)
		p.rect(ground(i), x.left+1, y+1.5, x.left+5+st.width(text), y+11.5)
		p.write(st, draw.XLeft, x.left+3, y+7, text)
	}
	s := c.Samples[m.Name]
	switch {
	case c.NotRun != nil:
		say(smallText, msg.T("cell.see-below", msg.T("cell.not-run")))
		return
	case s == nil:
		say(smallText, f.short(p, c, lacks(c, m.Name), x.right-x.left-4))
		return
	}
	middle := y + panelRow - 7
	at := func(v float64, dy vg.Length) (vg.Length, vg.Length, bool) { return x.x(v), middle + dy, x.shows(v) }
	f.trials(p, c, m.Name, at, 9, 1.3, false)
	if iv := s.Median; x.shows(iv.Point) && x.shows(iv.Lo) {
		f.interval(p, black, x, iv, middle, 2)
		f.middle(p, black, s, 2.6, at)
	}
	u := msg.ScaleFor(s.Median.Point, m.Unit)
	st := smallText
	st.color = black
	say(st, msg.T("in-brackets", u.With(s.Median.Point), u.Span(s.Median.Lo, s.Median.Hi)))
}

// short is a text that fits, or its beginning, up to a colon where it has one,
// and then all of it stands below the picture.
func (f *panels) short(p *page, c *analysis.Cell, why msg.Message, width vg.Length) msg.Message {
	text := p.say(why)
	if smallText.width(text) <= width {
		return why
	}
	note := msg.T("join.colon", c.Name, why)
	if !slices.ContainsFunc(f.notes, func(n msg.Message) bool { return p.say(n) == p.say(note) }) {
		f.notes = append(f.notes, note)
	}
	head, _, _ := strings.Cut(text, ":")
	return msg.T("cell.see-below", head)
}

// writeNarrow puts a row's label beside it, in two lines where it must, and smaller where
// that isn't enough.
func writeNarrow(p *page, label string, x, y, width vg.Length) {
	st := smallText
	st.color = black
	lines := st.wrap(label, width)
	for len(lines) > 2 && st.size > 6 {
		st.size -= 0.25
		lines = st.wrap(label, width)
	}
	if len(lines) > 2 {
		lines = []string{lines[0], st.fit(strings.Join(lines[1:], " "), width)}
	}
	for i, l := range lines {
		p.write(st, draw.XLeft, x, y+(vg.Length(i)-vg.Length(len(lines)-1)/2)*st.line(), l)
	}
}

func (f *panels) below() []msg.Message {
	out := append(f.sheet.below(), f.notes...)
	if f.figure.Log {
		out = append(out, msg.T("axis.log"))
	}
	return out
}

func (f *panels) explain(k *key) {
	f.explainTrials(k, 1.6)
	f.explainIntervals(k, msg.T("key.interval", "95 %"))
}
