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
	"lab/reports/analysis"
	"lab/reports/msg"
)

// A multiple draws several metrics side by side, each in a small panel with an
// axis of its own: the rows are the cells, the same in every panel, and are named
// once, at the left. Every trial is a point; below stand the median and its
// interval, above in words.
//
// Emulated guests have panels of their own, hatched, in which their axes begin
// anew.
type multiple struct {
	a      *analysis.Analysis
	figure results.Figure
	used   struct{ disturbed, interval, span, groups, tcg bool } // marks that need a key
	notes  []string                                              // what had no room in its row
}

const (
	panelsAbreast = 3
	panelRow      = vg.Length(25)
	panelLabel    = 34 * vg.Millimeter
	panelGap      = vg.Length(9)
)

func (f *multiple) draw(p *page) {
	p.heading(f.figure.Title, f.figure.Caption)
	f.group(p, false)
	f.group(p, true)
	p.notes(append(notRunNotes(f.a), f.notes...))
	p.y += 2
	f.key(p)
	footer(p, f.a)
}

// group draws the panels of the emulated cells, or of the others.
func (f *multiple) group(p *page, tcg bool) {
	var cells []*analysis.Cell
	for _, c := range f.a.Cells {
		if c.TCG == tcg {
			cells = append(cells, c)
		}
	}
	var metrics []results.Metric
	for _, name := range f.figure.Metrics {
		if m, ok := f.a.Metric(name); ok && (!tcg || len(metricValues(cells, name)) > 0) {
			metrics = append(metrics, m)
		}
	}
	if len(cells) == 0 || len(metrics) == 0 {
		return
	}
	if tcg {
		f.used.tcg = true
		p.y += 4
		p.paragraph(boldText, pageMargin+2, pageWidth-2*pageMargin, analysis.TCGMark+": their own axes, no measure of how fast VMs are")
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
func (f *multiple) abreast(p *page, cells []*analysis.Cell, metrics []results.Metric, width vg.Length, tcg bool) {
	from := pageMargin + panelLabel
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
		x := f.axis(metricValues(cells, m.Name), m.Unit)
		x.left = from + (width+panelGap)*vg.Length(i)
		x.right = x.left + width
		f.panel(p, cells, m, x, top, bottom, tcg)
	}
	p.y = bottom + 17
}

func (f *multiple) title(m results.Metric) string { return msg.Capital(m.Title) }

// panel draws one metric.
func (f *multiple) panel(p *page, cells []*analysis.Cell, m results.Metric, x axis, top, bottom vg.Length, tcg bool) {
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

// axis is a panel's. A linear one begins at zero, so that noise looks no larger than
// it is; a logarithmic one ends at round values, so that it has two at least.
func (f *multiple) axis(values []float64, unit string) axis {
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

// ticks draws the grid, and as many labels as the narrow axis has room for.
func (f *multiple) ticks(p *page, x axis, top, bottom vg.Length) {
	p.line(x.left, bottom, x.right, bottom, 0.7, black)
	ticks := slices.DeleteFunc(x.ticks(), func(t tick) bool { return t.label == "" })
	for _, t := range ticks {
		p.line(x.x(t.value), top, x.x(t.value), bottom, 0.5, faint)
	}
	slices.SortStableFunc(ticks, func(s, t tick) int { return cmp.Compare(s.rank, t.rank) })
	var labels []panelTick
	for every := 1; len(labels) == 0 && every <= max(1, len(ticks)); every++ {
		labels = f.labels(x, ticks, every)
	}
	for _, l := range labels {
		p.line(l.at, bottom, l.at, bottom+3, 0.7, black)
		p.write(smallText, draw.XCenter, l.middle, bottom+9, l.label)
	}
}

// A panelTick is a label, its place on the axis, and where its middle is written.
type panelTick struct {
	label      string
	at, middle vg.Length
}

// labels places the labels of every so manieth tick. On a logarithmic axis those
// that find no room are left out; on a linear one they are none then, as what is
// left must be at equal distances.
func (f *multiple) labels(x axis, ticks []tick, every int) (out []panelTick) {
	const room = vg.Length(8) // between two labels
	type extent struct{ from, to vg.Length }
	var taken []extent
	for i, t := range ticks {
		if i%every != 0 {
			continue
		}
		l := panelTick{label: t.label, at: x.x(t.value)}
		if t.value == 0 {
			l.label = "0"
		}
		// Pushed inwards where it would reach into the next panel.
		half := smallText.width(l.label) / 2
		l.middle = max(x.left+half-panelGap/2+2, min(l.at, x.right-half+panelGap/2-2))
		e := extent{l.middle - half - room/2, l.middle + half + room/2}
		if slices.ContainsFunc(taken, func(o extent) bool { return e.from < o.to && e.to > o.from }) {
			if x.log {
				continue
			}
			return nil
		}
		taken = append(taken, e)
		out = append(out, l)
	}
	return out
}

// row draws one cell in one panel.
func (f *multiple) row(p *page, c *analysis.Cell, m results.Metric, x axis, y vg.Length, banded bool) {
	colour := RowColor(c.Hue)
	ground := paper
	if banded {
		ground = band
	}
	say := func(st style, text string) { // no grid and no hatch behind words
		text = st.fit(text, x.right-x.left-4)
		p.rect(ground, x.left+1, y+1.5, x.left+5+st.width(text), y+11.5)
		p.write(st, draw.XLeft, x.left+3, y+7, text)
	}
	s := c.Samples[m.Name]
	if c.NotRun != nil || s == nil {
		text := "no values"
		switch {
		case c.NotRun != nil:
			text = "not run: see below"
		case c.Why(m.Name) != "":
			text = f.short(c, c.Why(m.Name), x.right-x.left-4)
		case c.Failures() > 0:
			text = fmt.Sprintf("all %s failed", msg.Plural(c.Failures(), "trial"))
		}
		say(smallText, text)
		return
	}
	middle := y + panelRow - 7
	for j, t := range c.Made {
		v, ok := t.Values[m.Name]
		if !ok || !t.Counts() || !x.shows(v) {
			continue
		}
		at := middle + vg.Length(jitter(j)*9)
		f.used.disturbed = f.used.disturbed || len(t.Taint) > 0
		if len(t.Taint) > 0 {
			p.dot(colour, x.x(v), at, 1.3, true)
		} else {
			p.dot(seeThrough(colour), x.x(v), at, 1.3, false)
		}
	}
	if iv := s.Median; x.shows(iv.Point) && x.shows(iv.Lo) {
		thick := vg.Length(2)
		if !iv.Known() {
			thick = 0.8
		}
		f.used.interval = f.used.interval || iv.Known()
		f.used.span = f.used.span || !iv.Known()
		p.line(x.x(iv.Lo), middle, x.x(iv.Hi), middle, thick, black)
		f.used.groups = f.used.groups || s.Grouped()
		p.middle(black, s, 2.6, func(v float64) (vg.Length, vg.Length, bool) { return x.x(v), middle, x.shows(v) })
	}
	u := msg.ScaleFor(s.Median.Point, m.Unit)
	st := smallText
	st.color = black
	say(st, u.With(s.Median.Point)+" ("+u.Span(s.Median.Lo, s.Median.Hi)+")")
}

// short is a text that fits, or its beginning, up to a colon where it has one,
// and then all of it stands below the picture.
func (f *multiple) short(c *analysis.Cell, text string, width vg.Length) string {
	if smallText.width(text) <= width {
		return text
	}
	if note := c.Name + ": " + text; !slices.Contains(f.notes, note) {
		f.notes = append(f.notes, note)
	}
	head, _, _ := strings.Cut(text, ":")
	return head + ": see below"
}

// writeNarrow puts a cell's label beside its row, in two lines where it must.
func writeNarrow(p *page, c *analysis.Cell, x, y, width vg.Length) {
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
	k := newKey(p, 5)
	k.trials(f.used.disturbed)
	if f.used.groups {
		k.groupKey(2.6)
	}
	if f.used.interval {
		k.bar("its 95 % interval", 2)
	}
	if f.used.span {
		k.bar("range: too few trials for an interval", 0.8)
	}
	k.end()
	if f.figure.Log {
		p.paragraph(smallText, pageMargin, pageWidth-2*pageMargin, "logarithmic scales: equal distances are equal factors")
	}
	if f.used.tcg {
		hatchKey(p, f.a.TCGShows())
	}
}
