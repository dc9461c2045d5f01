package plot

import (
	"fmt"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// A ratios figure draws, for each of several metrics, how many times as long (or as
// much) it takes in each cell as in its baseline: a diamond and its interval on
// one logarithmic axis, with a line at 1. For a metric of which more is better
// the ratio is turned round, so that to the right always is worse.
//
// Emulated guests have a panel and an axis of their own, hatched: what they show
// is what the emulation costs.
type ratios struct {
	a      *analysis.Analysis
	figure results.Figure
	used   struct{ interval, span, groups, tcg bool }
}

const (
	ratioRow   = vg.Length(11.5)
	ratioName  = 31 * vg.Millimeter // of ratioLabel: the metric's; the rest is the cell's
	ratioLabel = 50 * vg.Millimeter
	ratioText  = 36 * vg.Millimeter
)

func (f *ratios) draw(p *page) {
	p.heading(f.figure.Title, f.figure.Caption)
	f.panel(p, false)
	f.panel(p, true)
	p.notes(append(notRunNotes(f.a), f.alone()...))
	p.y += 6
	f.key(p)
	footer(p, f.a)
}

// alone are the rows that ran and aren't drawn, as nothing is there to set them
// beside.
func (f *ratios) alone() (out []string) {
	for _, c := range f.a.Cells {
		if c.NotRun == nil && !c.IsBase && f.a.FigureBase(f.figure, c) == nil && len(c.Samples) > 0 {
			out = append(out, fmt.Sprintf("%s: no row of %s to compare it with", c.Name, f.a.FigureBaseName(f.figure)))
		}
	}
	return out
}

// of is the ratio of a cell's by its baseline in a metric, worse being above 1.
func (f *ratios) of(c *analysis.Cell, m results.Metric) (stats.Interval, bool) {
	base := f.a.FigureBase(f.figure, c)
	if base == nil {
		return stats.Interval{}, false
	}
	k := f.a.Versus(c, base, m.Name)
	if k == nil || k.Ratio == nil || k.Ratio.Lo <= 0 {
		return stats.Interval{}, false
	}
	iv := *k.Ratio
	if m.Better == "higher" {
		iv.Point, iv.Lo, iv.Hi = 1/iv.Point, 1/iv.Hi, 1/iv.Lo
	}
	return iv, true
}

// panel draws the emulated cells, or the others, all metrics below one another.
func (f *ratios) panel(p *page, tcg bool) {
	var cells []*analysis.Cell
	for _, c := range f.a.Cells {
		if c.TCG == tcg && f.a.FigureBase(f.figure, c) != nil && c.NotRun == nil {
			cells = append(cells, c)
		}
	}
	metrics := f.metrics()
	values := []float64{1}
	for _, c := range cells {
		for _, m := range metrics {
			if iv, ok := f.of(c, m); ok {
				values = append(values, iv.Lo, iv.Point, iv.Hi)
			}
		}
	}
	if len(cells) == 0 || tcg && len(values) == 1 {
		return
	}
	left, right := pageMargin, pageWidth-pageMargin
	x := newAxis(values, true, unitRatio)
	x.left, x.right = left+labelRoom(cells), right-ratioText
	p.y += 5
	if tcg {
		f.used.tcg = true
		p.write(boldText, draw.XLeft, left+2, p.y+6, "What emulation in software (TCG) costs: its own axis, no measure of VMs")
	} else {
		p.write(smallText, draw.XLeft, x.right+6, p.y+6, "ratio, interval")
		p.write(smallText, draw.XRight, x.x(1)-4, p.y+6, "better than "+f.a.FigureBaseName(f.figure))
		p.write(smallText, draw.XLeft, x.x(1)+4, p.y+6, "worse")
	}
	p.y += 13
	top := p.y
	height := ratioRow*vg.Length(len(cells)) + 5
	bottom := top + height*vg.Length(len(metrics))
	for i := range metrics {
		if i%2 == 0 {
			y := top + height*vg.Length(i)
			p.rect(band, left, y, right, y+height)
		}
	}
	if tcg {
		p.hatch(faint, x.left, top, x.right, bottom)
	}
	(&distribution{a: f.a}).ticks(p, x, top, bottom)
	p.line(x.x(1), top, x.x(1), bottom, 1.2, black)
	for i, m := range metrics {
		y := top + height*vg.Length(i)
		p.write(boldText, draw.XLeft, left+2, y+height/2, boldText.fit(msg.Capital(m.Title), ratioName))
		for j, c := range cells {
			f.row(p, c, m, x, y+2.5+ratioRow*(vg.Length(j)+0.5), i%2 == 0)
		}
	}
	p.y = bottom + 16
	p.write(smallText, draw.XLeft, x.left, p.y+4, x.note())
	p.y += 10
}

// labelRoom is how wide the names before the axis are: the cells' are whole, as
// far as they leave the axis its room.
func labelRoom(cells []*analysis.Cell) vg.Length {
	const most = 82 * vg.Millimeter
	room := ratioLabel
	for _, c := range cells {
		room = max(room, ratioName+8+smallText.width(c.Cell.Label()))
	}
	return min(room, most)
}

// metrics are those of the figure that have values.
func (f *ratios) metrics() (out []results.Metric) {
	for _, name := range f.figure.Metrics {
		if m, ok := f.a.Metric(name); ok {
			out = append(out, m)
		}
	}
	return out
}

// row draws one cell's ratio in one metric, with its middle at y.
func (f *ratios) row(p *page, c *analysis.Cell, m results.Metric, x axis, y vg.Length, banded bool) {
	colour := RowColor(c.Hue)
	name := strings.TrimSpace(c.Cell.Label())
	iv, ok := f.of(c, m)
	if !ok {
		text := "no ratio"
		switch {
		case c.Why(m.Name) != "":
			text = c.Why(m.Name)
		case c.Counted() == 0 && c.Failures() > 0:
			text = fmt.Sprintf("all %s failed", msg.Plural(c.Failures(), "trial"))
		}
		ground := paper
		if banded {
			ground = band
		}
		text = smallText.fit(name+": "+msg.OneLine(text), x.right-x.left-10)
		p.rect(ground, x.left+3, y-ratioRow/2, x.left+9+smallText.width(text), y+ratioRow/2)
		p.write(smallText, draw.XLeft, x.left+6, y, text)
		return
	}
	f.used.interval = f.used.interval || iv.Known()
	f.used.span = f.used.span || !iv.Known()
	thick := vg.Length(2.2)
	if !iv.Known() {
		thick = 0.8
	}
	p.line(x.x(iv.Lo), y, x.x(iv.Hi), y, thick, colour)
	const radius = vg.Length(3.4)
	for _, end := range []float64{iv.Lo, iv.Hi} {
		if d := x.x(end) - x.x(iv.Point); d < -radius || d > radius { // or the diamond looks like a star
			p.line(x.x(end), y-2.5, x.x(end), y+2.5, 1, colour)
		}
	}
	p.diamond(colour, x.x(iv.Point), y, radius)
	grouped := c.Samples[m.Name].Grouped() || f.a.FigureBase(f.figure, c).Samples[m.Name].Grouped()
	f.used.groups = f.used.groups || grouped
	if c.TCG || grouped { // hollow
		p.diamond(paper, x.x(iv.Point), y, 2)
	}
	text := msg.Times(iv.Point) + " (" + msg.Bare.Span(iv.Lo, iv.Hi, 1) + ")"
	st := bodyText
	st.color = colour
	p.write(st, draw.XLeft, x.right+6, y, st.fit(text, ratioText-6))
	st = smallText
	st.color = colour
	p.write(st, draw.XRight, x.left-3, y, st.fit(name, x.left-pageMargin-ratioName-8))
}

// key explains the marks that were used.
func (f *ratios) key(p *page) {
	k := newKey(p, 5)
	k.entry("ratio of medians", func(x, y vg.Length) { p.diamond(black, x, y, 3.4) })
	if f.used.groups {
		k.entry("trials in two groups", func(x, y vg.Length) { p.diamond(black, x, y, 3.4); p.diamond(paper, x, y, 2) })
	}
	if f.used.interval {
		k.bar("its interval: 95 % for all of a metric together", 2.2)
	}
	if f.used.span {
		k.bar("its range: too few trials for an interval", 0.8)
	}
	k.end()
	if turned := f.turned(); len(turned) > 0 {
		p.paragraph(smallText, pageMargin, pageWidth-2*pageMargin, fmt.Sprintf("More is better of %s: there the ratio is the %s's figure by the row's.", strings.Join(turned, ", "), f.a.FigureBaseName(f.figure)))
	}
	if f.used.tcg {
		hatchKey(p, f.a.TCGShows())
	}
}

// turned names the metrics whose ratio is turned round.
func (f *ratios) turned() (out []string) {
	for _, m := range f.metrics() {
		if m.Better == "higher" {
			out = append(out, msg.Lower(m.Title))
		}
	}
	return out
}
