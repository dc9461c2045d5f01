package plot

import (
	"slices"

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
type ratios struct{ *sheet }

func newRatios(s *sheet) figure { return &ratios{s} }

const (
	ratioRow   = vg.Length(11.5)
	ratioName  = 31 * vg.Millimeter // of ratioLabel: the metric's; the rest is the cell's
	ratioLabel = 50 * vg.Millimeter
	ratioText  = 36 * vg.Millimeter
)

// below adds the rows that ran and aren't drawn, as nothing is there to set them
// beside.
func (f *ratios) below() []msg.Message {
	out := f.sheet.below()
	for _, c := range f.a.Cells {
		if c.NotRun == nil && !c.IsBase && f.a.FigureBase(f.figure, c) == nil && len(c.Samples) > 0 {
			out = append(out, msg.T("plot.no-base", c.Name, f.baseName()))
		}
	}
	return out
}

func (f *ratios) baseName() msg.Message { return f.a.FigureBaseName(f.figure) }

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

// panels draws the emulated cells, or the others, all metrics below one another.
func (f *ratios) panels(p *page, tcg bool) {
	cells := slices.DeleteFunc(f.cells(tcg), func(c *analysis.Cell) bool { return c.NotRun != nil || f.a.FigureBase(f.figure, c) == nil })
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
		p.write(boldText, draw.XLeft, left+2, p.y+6, msg.T("plot.tcg-costs"))
	} else {
		p.write(smallText, draw.XLeft, x.right+6, p.y+6, msg.T("plot.ratio"))
		p.write(smallText, draw.XRight, x.x(1)-4, p.y+6, msg.T("plot.better", f.baseName()))
		p.write(smallText, draw.XLeft, x.x(1)+4, p.y+6, msg.T("plot.worse"))
	}
	p.y += 13

	height := ratioRow*vg.Length(len(cells)) + 5
	top, bottom := p.rows(x, height, len(metrics), tcg)
	p.line(x.x(1), top, x.x(1), bottom, 1.2, black)
	for i, m := range metrics {
		y := top + height*vg.Length(i)
		p.fit(boldText, draw.XLeft, left+2, y+height/2, ratioName, msg.T("title", m.Title))
		for j, c := range cells {
			f.row(p, c, m, x, y+2.5+ratioRow*(vg.Length(j)+0.5), i)
		}
	}
	p.below(x, bottom, x.note())
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

// row draws one cell's ratio in one metric, with its middle at y.
func (f *ratios) row(p *page, c *analysis.Cell, m results.Metric, x axis, y vg.Length, i int) {
	colour := RowColor(c.Hue)
	name := c.Cell.Label()
	iv, ok := f.of(c, m)
	if !ok {
		why := lacks(c, m.Name)
		if c.Samples[m.Name] != nil {
			why = msg.T("plot.no-ratio")
		}
		text := smallText.fit(p.say(msg.T("join.colon", name, why)), x.right-x.left-10)
		p.rect(ground(i), x.left+3, y-ratioRow/2, x.left+9+smallText.width(text), y+ratioRow/2)
		p.write(smallText, draw.XLeft, x.left+6, y, text)
		return
	}
	f.interval(p, colour, x, iv, y, 2.2)
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
	st := bodyText
	st.color = colour
	p.fit(st, draw.XLeft, x.right+6, y, ratioText-6, msg.T("in-brackets", msg.Times(iv.Point), msg.Bare.Span(iv.Lo, iv.Hi, 1)))
	st = smallText
	st.color = colour
	p.fit(st, draw.XRight, x.left-3, y, x.left-pageMargin-ratioName-8, name)
}

func (f *ratios) explain(k *key) {
	k.entry(msg.T("key.ratio"), func(x, y vg.Length) { k.p.diamond(black, x, y, 3.4) })
	if f.used.groups {
		k.entry(msg.T("key.in-groups"), func(x, y vg.Length) { k.p.diamond(black, x, y, 3.4); k.p.diamond(paper, x, y, 2) })
	}
	f.explainIntervals(k, msg.T("key.joint"))
	var turned []msg.Message
	for _, m := range f.metrics() {
		if m.Better == "higher" {
			turned = append(turned, msg.T("key.turned-metric", m.Title))
		}
	}
	if turned != nil {
		k.note(msg.T("key.turned", msg.Join("join.comma", turned...), f.baseName()))
	}
}
