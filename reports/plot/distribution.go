package plot

import (
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// A distribution draws every trial of every cell as a point on one axis, a row
// a cell, with the median and its interval below the points, and in words
// beside them. Emulated guests have a panel and an axis of their own: beside
// the others they would look like slow ones.
type distribution struct {
	*sheet
	height vg.Length // of a row
}

func newDistribution(s *sheet) figure {
	d := &distribution{s, rowHeight}
	if len(s.a.FigureCells(s.figure)) > rowsHigh {
		d.height = rowLow
	}
	return d
}

// low reports whether rows are low: two lines of words in place of three.
func (d *distribution) low() bool { return d.height < rowHeight }

const (
	rowHeight  = vg.Length(42)
	rowLow     = vg.Length(23) // where there are more rows than rowsHigh, which fill a page
	rowsHigh   = 14
	dotRadius  = vg.Length(1.6)
	labelWidth = 36 * vg.Millimeter
	textWidth  = 38 * vg.Millimeter
)

func (d *distribution) panels(p *page, tcg bool) {
	for _, m := range d.metrics() {
		d.panel(p, m, tcg)
	}
}

// panel draws one metric's emulated rows, or the others, and the axis below.
func (d *distribution) panel(p *page, m results.Metric, tcg bool) {
	cells := d.cells(tcg)
	if len(cells) == 0 {
		return
	}
	left, right := pageMargin, pageWidth-pageMargin
	all := values(cells, m.Name)
	x := newAxis(all, d.figure.Log, m.Unit)
	x.left, x.right = left+labelWidth, right-textWidth
	p.y += 5
	if tcg {
		p.write(boldText, draw.XLeft, left+2, p.y+6, msg.T("plot.own-axis", msg.T("title", m.Title), analysis.TCGMark))
	} else {
		p.write(boldText, draw.XLeft, left+2, p.y+6, msg.T("title", m.Title))
		p.write(smallText, draw.XLeft, x.right+6, p.y+6, msg.T("plot.words"))
	}
	p.y += 13

	top, bottom := p.rows(x, d.height, len(cells), tcg)
	d.used.tcg = d.used.tcg || tcg
	for i, c := range cells {
		d.row(p, c, m, x, top+d.height*vg.Length(i), i)
	}
	note := x.note()
	if n := len(slices.DeleteFunc(all, x.shows)); n > 0 {
		note = msg.Join("join.semicolon", note, msg.T("axis.hidden", n))
	}
	p.below(x, bottom, note)
}

// row draws one cell.
func (d *distribution) row(p *page, c *analysis.Cell, m results.Metric, x axis, y vg.Length, i int) {
	writeLabel(p, c, pageMargin+2, y+d.height/2, d.low())
	s := c.Samples[m.Name]
	if c.NotRun != nil || s == nil {
		text := p.say(lacks(c, m.Name))
		if c.NotRun != nil && d.low() {
			text = p.say(msg.T("cell.see-below", msg.T("cell.not-run")))
		}
		p.rect(ground(i), x.left, y, x.right+1, y+d.height-0.5) // no grid behind words
		room := x.right - x.left - 12
		lines := smallText.wrap(text, room)
		if len(lines) > 3 {
			lines = append(lines[:2], smallText.fit(strings.Join(lines[2:], " "), room))
		}
		for j, l := range lines {
			p.write(smallText, draw.XLeft, x.left+6, y+d.height/2+(vg.Length(j)-vg.Length(len(lines)-1)/2)*smallText.line(), l)
		}
		return
	}
	middle := y + (d.height-12)/2
	d.trials(p, c, m.Name, func(v float64, dy vg.Length) (vg.Length, vg.Length, bool) { return x.x(v), middle + dy, x.shows(v) },
		(d.height-16)*0.85, dotRadius, true)
	if middle = y + d.height - 9; d.low() {
		middle = y + d.height - 5
	}
	if iv := s.Median; x.shows(iv.Point) {
		if iv.Known() && x.shows(iv.Lo) {
			d.interval(p, black, x, iv, middle, 2.2)
			p.line(x.x(iv.Lo), middle-3, x.x(iv.Lo), middle+3, 1, black)
			p.line(x.x(iv.Hi), middle-3, x.x(iv.Hi), middle+3, 1, black)
		}
		d.middle(p, black, s, 3, func(v float64, _ vg.Length) (vg.Length, vg.Length, bool) { return x.x(v), middle, x.shows(v) })
	}
	d.words(p, c, s, m, x.right+6, y)
}

// words writes the median, its interval and the trials beside a row.
func (d *distribution) words(p *page, c *analysis.Cell, s *analysis.Sample, m results.Metric, x, y vg.Length) {
	u := msg.ScaleFor(s.Median.Point, m.Unit)
	median := msg.Verbatim(u.With(s.Median.Point))
	if s.Grouped() {
		two := s.Middles()
		median = msg.T("plot.groups", u.Join(msg.T("join.comma", u.In(two[0]), u.In(two[1]))))
	}
	trials := msg.T("trials", len(s.Values))
	if n := c.Failures(); n > 0 {
		trials = msg.T("join.comma", trials, msg.T("plot.failed", n))
	}
	if n := c.Disturbed(); n > 0 {
		trials = msg.T("join.comma", trials, msg.T("cell.disturbed", n))
	}
	const room = textWidth - 6
	if d.low() {
		at := boldText.width(p.say(median)) + 4
		p.fit(boldText, draw.XLeft, x, y+8, room, median)
		p.fit(smallText, draw.XLeft, x+at, y+8, room-at, analysis.SpanOf(s.Median, u))
		p.fit(smallText, draw.XLeft, x, y+17.5, room, trials)
		return
	}
	p.fit(boldText, draw.XLeft, x, y+11, room, median)
	p.fit(smallText, draw.XLeft, x, y+21, room, analysis.RangeOf(s.Median, u.Join(u.Span(s.Median.Lo, s.Median.Hi))))
	p.fit(smallText, draw.XLeft, x, y+30.5, room, trials)
}

func (d *distribution) below() []msg.Message {
	if d.low() {
		return d.sheet.below()
	}
	return nil
}

func (d *distribution) explain(k *key) {
	d.explainTrials(k, dotRadius*1.3)
	d.explainIntervals(k, msg.T("key.interval", "95 %"))
	if slices.ContainsFunc(d.a.Cells, func(c *analysis.Cell) bool { return c.Whole && !c.Mark.IsZero() && c.NotRun == nil }) {
		k.note(msg.T("key.whole"))
	}
}
