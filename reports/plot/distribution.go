package plot

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// A distribution draws every trial of every cell as a point on one axis, a row
// a cell, with the median and its interval below the points, and in words
// beside them. Emulated guests have a panel and an axis of their own: beside
// the others they would look like slow ones.
type distribution struct {
	a      *analysis.Analysis
	figure results.Figure
	height vg.Length                                               // of a row
	used   struct{ disturbed, warmup, interval, groups, tcg bool } // marks that need a key
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

func (d *distribution) draw(p *page) {
	p.heading(d.figure.Title, d.figure.Caption)
	if d.height = rowHeight; len(d.a.Cells) > rowsHigh {
		d.height = rowLow
	}
	for _, name := range d.figure.Metrics {
		if m, ok := d.a.Metric(name); ok {
			d.panel(p, m, msg.Capital(m.Title), false)
			d.panel(p, m, msg.Capital(m.Title)+", "+analysis.TCGMark+": its own axis, no measure of how fast VMs are", true)
		}
	}
	if d.low() {
		p.notes(notRunNotes(d.a))
	}
	p.y += 6
	d.key(p)
	footer(p, d.a)
}

// panel draws one metric's emulated rows, or the others, and the axis below.
func (d *distribution) panel(p *page, m results.Metric, heading string, tcg bool) {
	var cells []*analysis.Cell
	for _, c := range d.a.Cells {
		if c.TCG == tcg {
			cells = append(cells, c)
		}
	}
	if len(cells) == 0 {
		return
	}
	left, right := pageMargin, pageWidth-pageMargin
	values := metricValues(cells, m.Name)
	x := newAxis(values, d.figure.Log, m.Unit)
	x.left, x.right = left+labelWidth, right-textWidth
	p.y += 5
	p.write(boldText, draw.XLeft, left+2, p.y+6, heading)
	if !tcg {
		p.write(smallText, draw.XLeft, x.right+6, p.y+6, "median, 95 % interval, trials")
	}
	p.y += 13

	top := p.y
	bottom := top + d.height*vg.Length(len(cells))
	for i := range cells {
		if i%2 == 0 {
			y := top + d.height*vg.Length(i)
			p.rect(band, left, y, right, y+d.height)
		}
	}
	if tcg {
		p.hatch(faint, x.left, top, x.right, bottom)
		d.used.tcg = true
	}
	d.ticks(p, x, top, bottom)
	for i, c := range cells {
		d.row(p, c, m, x, top+d.height*vg.Length(i), i)
	}
	p.y = bottom + 16
	note := x.note()
	hidden := slices.DeleteFunc(values, x.shows)
	if n := len(hidden); n > 0 {
		note = strings.TrimPrefix(note+"; ", "; ") + fmt.Sprintf("%d values of zero or less can't be shown on it", n)
	}
	if note != "" {
		p.write(smallText, draw.XLeft, x.left, p.y+4, note)
		p.y += 10
	}
}

// values are all that the axis must cover.
func metricValues(cells []*analysis.Cell, metric string) []float64 {
	var out []float64
	for _, c := range cells {
		for _, t := range c.Made {
			if v, ok := t.Values[metric]; ok && !t.Failed() {
				out = append(out, v)
			}
		}
	}
	return out
}

// ticks draws the grid and the labels. Powers of ten have the first call on
// room; a label that would touch another is left out.
func (d *distribution) ticks(p *page, x axis, top, bottom vg.Length) {
	type extent struct{ from, to vg.Length }
	var taken []extent
	ticks := x.ticks()
	slices.SortStableFunc(ticks, func(s, t tick) int { return cmp.Compare(s.rank, t.rank) })
	for _, t := range ticks {
		at := x.x(t.value)
		thin := vg.Length(0.3)
		if t.label != "" {
			thin = 0.7
		}
		p.line(at, top, at, bottom, thin, faint)
		half := bodyText.width(t.label)/2 + 2
		touches := slices.ContainsFunc(taken, func(e extent) bool { return at-half < e.to && at+half > e.from })
		if t.label == "" || touches {
			continue
		}
		p.line(at, bottom, at, bottom+3, 0.7, black)
		p.write(bodyText, draw.XCenter, at, bottom+10, t.label)
		taken = append(taken, extent{at - half, at + half})
	}
	p.line(x.left, bottom, x.right, bottom, 0.7, black)
}

// row draws one cell.
func (d *distribution) row(p *page, c *analysis.Cell, m results.Metric, x axis, y vg.Length, i int) {
	if d.low() {
		writeLow(p, c, pageMargin+2, y+d.height/2)
	} else {
		writeLabel(p, c, pageMargin+2, y+d.height/2)
	}
	s := c.Samples[m.Name]
	if c.NotRun != nil || s == nil {
		text := "no values"
		if c.NotRun != nil {
			if text = analysis.NotRun(c); d.low() {
				text = "not run: see below"
			}
		}
		ground := paper // no grid behind words
		if i%2 == 0 {
			ground = band
		}
		p.rect(ground, x.left, y, x.right+1, y+d.height-0.5)
		lines := smallText.wrap(msg.OneLine(text), x.right-x.left-12)
		if len(lines) > 3 {
			lines = append(lines[:2], smallText.fit(strings.Join(lines[2:], " "), x.right-x.left-12))
		}
		for j, l := range lines {
			p.write(smallText, draw.XLeft, x.left+6, y+d.height/2+(vg.Length(j)-vg.Length(len(lines)-1)/2)*smallText.line(), l)
		}
		if n := c.Failures(); n > 0 {
			p.write(smallText, draw.XLeft, x.right+6, y+d.height/2, fmt.Sprintf("all %s failed", msg.Plural(n, "trial")))
		}
		return
	}
	colour := RowColor(c.Hue)
	for j, t := range c.Made {
		v, ok := t.Values[m.Name]
		if !ok || t.Failed() || !x.shows(v) {
			continue
		}
		at := vg.Point{X: x.x(v), Y: y + (d.height-12)/2 + vg.Length(jitter(j))*(d.height-16)*0.85}
		switch {
		case t.Warmup:
			p.cross(grey, at.X, at.Y, dotRadius)
			d.used.warmup = true
		case len(t.Taint) > 0:
			p.dot(colour, at.X, at.Y, dotRadius, true)
			d.used.disturbed = true
		default:
			p.dot(seeThrough(colour), at.X, at.Y, dotRadius, false)
		}
	}
	middle := y + d.height - 9
	if d.low() {
		middle = y + d.height - 5
	}
	if iv := s.Median; x.shows(iv.Point) {
		if iv.Known() && x.shows(iv.Lo) {
			d.used.interval = true
			p.line(x.x(iv.Lo), middle, x.x(iv.Hi), middle, 2.2, black)
			p.line(x.x(iv.Lo), middle-3, x.x(iv.Lo), middle+3, 1, black)
			p.line(x.x(iv.Hi), middle-3, x.x(iv.Hi), middle+3, 1, black)
		}
		d.used.groups = d.used.groups || s.Grouped()
		p.middle(black, s, 3, func(v float64) (vg.Length, vg.Length, bool) { return x.x(v), middle, x.shows(v) })
	}
	d.words(p, c, s, m, x.right+6, y)
}

// words writes the median, its interval and the trials beside a row.
func (d *distribution) words(p *page, c *analysis.Cell, s *analysis.Sample, m results.Metric, x, y vg.Length) {
	u := msg.ScaleFor(s.Median.Point, m.Unit)
	median, span := u.With(s.Median.Point), u.Span(s.Median.Lo, s.Median.Hi)
	trials := msg.Plural(len(s.Values), "trial")
	if n := c.Failures(); n > 0 {
		trials += fmt.Sprintf(", %d failed", n)
	}
	if n := c.Disturbed(); n > 0 {
		trials += fmt.Sprintf(", %d disturbed", n)
	}
	say := func(st style, x, y vg.Length, text string, room vg.Length) {
		p.write(st, draw.XLeft, x, y, st.fit(text, room))
	}
	const room = textWidth - 6
	if s.Grouped() {
		median = analysis.SpanOf(stats.Interval{Method: stats.Ranks, Lo: s.Middles()[0], Hi: s.Middles()[1]}, u)
		median = "groups: " + u.Join(strings.Replace(median, " to ", ", ", 1))
	}
	if d.low() {
		at := boldText.width(median) + 4
		say(boldText, x, y+8, median, room)
		say(smallText, x+at, y+8, analysis.SpanOf(s.Median, msg.Scale{Times: u.Times}), room-at)
		say(smallText, x, y+17.5, trials, room)
		return
	}
	if span = u.Join(span); !s.Median.Known() {
		span = "range " + span
	}
	say(boldText, x, y+11, median, room)
	say(smallText, x, y+21, span, room)
	say(smallText, x, y+30.5, trials, room)
}

// jitter spreads points over a row, from −0.5 to 0.5, evenly and always the same
// way: the golden ratio's multiples (no two neighbours come close).
func jitter(i int) float64 {
	_, f := math.Modf(float64(i+1) * 0.6180339887498949)
	return f - 0.5
}

// key explains the marks that were used.
func (d *distribution) key(p *page) {
	k := newKey(p, 5)
	k.entry("one trial", func(x, y vg.Length) { p.dot(RowColor(0), x, y, dotRadius*1.3, false) })
	if d.used.disturbed {
		k.entry("a disturbed trial (counted)", func(x, y vg.Length) { p.dot(RowColor(0), x, y, dotRadius*1.3, true) })
	}
	if d.used.warmup {
		k.entry("a warm-up trial (not counted)", func(x, y vg.Length) { p.cross(grey, x, y, dotRadius*1.2) })
	}
	k.entry("median", func(x, y vg.Length) { p.diamond(black, x, y, 3) })
	if d.used.groups {
		k.groupKey(3)
	}
	if d.used.interval {
		k.entry("its 95 % interval", func(x, y vg.Length) {
			p.line(x-5, y, x+5, y, 2.2, black)
			p.line(x-5, y-3, x-5, y+3, 1, black)
			p.line(x+5, y-3, x+5, y+3, 1, black)
		})
	}
	k.end()
	if d.used.tcg {
		hatchKey(p, d.a.TCGShows())
	}
}
