package reports

import (
	"cmp"
	"fmt"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/bench/results"
)

// A multiple draws several metrics side by side, each in a small panel with an
// axis of its own: the rows are the cells, the same in every panel, and are named
// once, at the left. Every trial is a point; below stand the median and its
// interval, above in words.
//
// Emulated guests have panels of their own, hatched, in which their axes begin
// anew.
type multiple struct {
	a      *analysis
	figure results.Figure
	used   struct{ disturbed, interval, span, tcg bool } // marks that need a key
}

const (
	panelsAbreast = 3
	panelRow      = vg.Length(25)
	panelLabel    = 34 * vg.Millimeter
	panelGap      = vg.Length(9)
)

func (f *multiple) draw(p *page) {
	left, right := pageMargin, pageWidth-pageMargin
	p.paragraph(titleText, left, right-left, f.figure.Title)
	if f.figure.Caption != "" {
		p.paragraph(smallText, left, right-left, f.figure.Caption)
	}
	f.group(p, false)
	f.group(p, true)
	p.y += 2
	f.key(p)
	footer(p, f.a)
}

// group draws the panels of the emulated cells, or of the others.
func (f *multiple) group(p *page, tcg bool) {
	var cells []*cell
	for _, c := range f.a.cells {
		if c.tcg == tcg {
			cells = append(cells, c)
		}
	}
	var metrics []results.Metric
	for _, name := range f.figure.Metrics {
		if m, ok := f.a.metric(name); ok && (!tcg || len(metricValues(cells, name)) > 0) {
			metrics = append(metrics, m)
		}
	}
	if len(cells) == 0 || len(metrics) == 0 {
		return
	}
	if tcg {
		f.used.tcg = true
		p.y += 4
		p.paragraph(boldText, pageMargin+2, pageWidth-2*pageMargin, tcgMark+": axes of their own, compared with nothing")
	}
	// Lines of panels as equal as may be: four are two and two.
	lines := (len(metrics) + panelsAbreast - 1) / panelsAbreast
	for abreast := range slices.Chunk(metrics, (len(metrics)+lines-1)/lines) {
		f.abreast(p, cells, abreast, tcg)
	}
}

// abreast draws up to three panels, and the rows' names before them.
func (f *multiple) abreast(p *page, cells []*cell, metrics []results.Metric, tcg bool) {
	from := pageMargin + panelLabel
	width := (pageWidth - pageMargin - from - panelGap*(panelsAbreast-1)) / panelsAbreast
	lines := 1
	for _, m := range metrics {
		lines = max(lines, len(boldText.wrap(f.title(m), width)))
	}
	p.y += 7 + boldText.line()*vg.Length(lines) + smallText.line()
	top := p.y
	bottom := top + panelRow*vg.Length(len(cells))
	to := from + (width+panelGap)*vg.Length(len(metrics)) - panelGap
	for i, c := range cells {
		y := top + panelRow*vg.Length(i)
		if i%2 == 0 {
			p.rect(band, pageMargin, y, to, y+panelRow)
		}
		writeNarrow(p, c, pageMargin+2, y+panelRow/2, panelLabel-8)
	}
	for i, m := range metrics {
		values := metricValues(cells, m.Name)
		if !f.figure.Log { // so that noise looks no larger than it is
			values = append(values, 0)
		}
		x := newAxis(values, f.figure.Log, m.Unit)
		x.left = from + (width+panelGap)*vg.Length(i)
		x.right = x.left + width
		f.panel(p, cells, m, x, top, bottom, tcg)
	}
	p.y = bottom + 17
}

func (f *multiple) title(m results.Metric) string { return capital(m.Title) }

// panel draws one metric.
func (f *multiple) panel(p *page, cells []*cell, m results.Metric, x axis, top, bottom vg.Length, tcg bool) {
	y := top - smallText.line()
	lines := boldText.wrap(f.title(m), x.right-x.left)
	for i, l := range lines {
		p.write(boldText, draw.XLeft, x.left, y-boldText.line()*(vg.Length(len(lines)-i)-0.5), l)
	}
	if m.Better != "" {
		p.write(smallText, draw.XLeft, x.left, top-smallText.line()/2, m.Better+" is better")
	}
	if tcg {
		p.hatch(faint, x.left, top, x.right, bottom)
	}
	f.ticks(p, x, top, bottom)
	for i, c := range cells {
		f.row(p, c, m, x, top+panelRow*vg.Length(i), i%2 == 0)
	}
}

// ticks draws the grid, and as many labels as the narrow axis has room for.
func (f *multiple) ticks(p *page, x axis, top, bottom vg.Length) {
	const room = vg.Length(8) // between two labels
	p.line(x.left, bottom, x.right, bottom, 0.7, black)
	type extent struct{ from, to vg.Length }
	var taken []extent
	ticks := x.ticks()
	slices.SortStableFunc(ticks, func(s, t tick) int { return cmp.Compare(s.rank, t.rank) })
	for _, t := range ticks {
		if t.label == "" {
			continue
		}
		at := x.x(t.value)
		p.line(at, top, at, bottom, 0.5, faint)
		if t.value == 0 {
			t.label = "0"
		}
		// Pushed inwards where it would reach into the next panel.
		half := smallText.width(t.label) / 2
		middle := max(x.left+half-panelGap/2+2, min(at, x.right-half+panelGap/2-2))
		e := extent{middle - half - room/2, middle + half + room/2}
		if slices.ContainsFunc(taken, func(o extent) bool { return e.from < o.to && e.to > o.from }) {
			continue
		}
		p.line(at, bottom, at, bottom+3, 0.7, black)
		p.write(smallText, draw.XCenter, middle, bottom+9, t.label)
		taken = append(taken, e)
	}
}

// row draws one cell in one panel.
func (f *multiple) row(p *page, c *cell, m results.Metric, x axis, y vg.Length, banded bool) {
	colour := rowColor(slices.Index(f.a.cells, c))
	ground := paper
	if banded {
		ground = band
	}
	say := func(st style, text string) { // no grid and no hatch behind words
		text = st.fit(text, x.right-x.left-4)
		p.rect(ground, x.left+1, y+1.5, x.left+5+st.width(text), y+11.5)
		p.write(st, draw.XLeft, x.left+3, y+7, text)
	}
	s := c.samples[m.Name]
	if c.NotRun != nil || s == nil {
		text := "no values"
		switch {
		case c.NotRun != nil:
			text = "not run: see the report"
		case c.texts[m.Name] != "":
			text = oneLine(c.texts[m.Name])
		case c.failures() > 0:
			text = fmt.Sprintf("all %s failed", plural(c.failures(), "trial"))
		}
		say(smallText, text)
		return
	}
	middle := y + panelRow - 7
	for j, t := range c.trials {
		v, ok := t.values[m.Name]
		if !ok || !t.counts() || !x.shows(v) {
			continue
		}
		at := middle + vg.Length(jitter(j)*9)
		f.used.disturbed = f.used.disturbed || len(t.taint) > 0
		if len(t.taint) > 0 {
			p.dot(colour, x.x(v), at, 1.3, true)
		} else {
			p.dot(seeThrough(colour), x.x(v), at, 1.3, false)
		}
	}
	if iv := s.median; x.shows(iv.Point) && x.shows(iv.Lo) {
		thick := vg.Length(2)
		if !iv.Known() {
			thick = 0.8
		}
		f.used.interval = f.used.interval || iv.Known()
		f.used.span = f.used.span || !iv.Known()
		p.line(x.x(iv.Lo), middle, x.x(iv.Hi), middle, thick, black)
		p.diamond(black, x.x(iv.Point), middle, 2.6)
	}
	u := scaleFor(s.median.Point, m.Unit)
	st := smallText
	st.color = black
	say(st, u.with(s.median.Point)+" ("+u.span(s.median.Lo, s.median.Hi)+")")
}

// writeNarrow puts a cell's label beside its row, in two lines where it must.
func writeNarrow(p *page, c *cell, x, y, width vg.Length) {
	st := smallText
	st.color = black
	lines := st.wrap(c.Cell.Label(), width)
	if len(lines) > 2 {
		lines = []string{lines[0], st.fit(joined(lines[1:]), width)}
	}
	for i, l := range lines {
		p.write(st, draw.XLeft, x, y+(vg.Length(i)-vg.Length(len(lines)-1)/2)*st.line(), l)
	}
}

func joined(lines []string) string {
	out := lines[0]
	for _, l := range lines[1:] {
		out += " " + l
	}
	return out
}

// key explains the marks that were used.
func (f *multiple) key(p *page) {
	x, y := pageMargin, p.y+5
	entry := func(text string, mark func(vg.Length)) {
		if w := 14 + bodyText.width(text); x > pageMargin && x+w > pageWidth-pageMargin {
			x, y = pageMargin, y+bodyText.line()
		}
		mark(x + 5)
		p.write(bodyText, draw.XLeft, x+14, y, text)
		x += 26 + bodyText.width(text)
	}
	entry("one trial", func(x vg.Length) { p.dot(rowColor(0), x, y, 1.6, false) })
	if f.used.disturbed {
		entry("a disturbed trial (counted)", func(x vg.Length) { p.dot(rowColor(0), x, y, 1.6, true) })
	}
	entry("median", func(x vg.Length) { p.diamond(black, x, y, 2.6) })
	if f.used.interval {
		entry("its 95 % interval", func(x vg.Length) { p.line(x-5, y, x+5, y, 2, black) })
	}
	if f.used.span {
		entry("range: too few trials for an interval", func(x vg.Length) { p.line(x-5, y, x+5, y, 0.8, black) })
	}
	p.y = y + 7
	if f.figure.Log {
		p.paragraph(smallText, pageMargin, pageWidth-2*pageMargin, "logarithmic scales: equal distances are equal factors")
	}
	if f.used.tcg {
		hatchKey(p, f.a.tcgShows())
	}
}
