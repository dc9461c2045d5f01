package plot

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// A slopes figure draws a total against the number of instances: a small panel
// for each environment, all on one axis, which has zero on it, so that steeper is
// more expensive. The slope is the answer, and stands above its panel in words.
//
// Emulated guests have panels and an axis of their own, hatched.
type slopes struct{ *sheet }

func newSlopes(s *sheet) figure { return &slopes{s} }

const (
	slopeAbreast = 3
	slopeHeight  = vg.Length(105)
	slopeAxis    = 17 * vg.Millimeter // for the labels of the amounts
	slopeGap     = vg.Length(10)
)

func (f *slopes) panels(p *page, tcg bool) {
	for _, m := range f.metrics() {
		f.group(p, m, tcg)
	}
}

// group draws the panels of one metric, those of emulated guests or the others.
func (f *slopes) group(p *page, m results.Metric, tcg bool) {
	var all []*analysis.Series
	of, most := []float64{0}, 1
	for _, s := range f.a.Series(m.Name) {
		if s.TCG != tcg {
			continue
		}
		all = append(all, s)
		of = append(of, values(s.Cells, m.Name)...)
		for _, c := range s.Cells {
			most = max(most, c.N)
		}
	}
	if len(of) == 1 {
		return
	}
	p.y += 5
	head := msg.T("title", m.Title)
	if tcg {
		f.used.tcg = true
		head = msg.T("plot.own-axis", head, analysis.TCGMark)
	}
	p.paragraph(boldText, pageMargin, pageWidth-2*pageMargin, head)
	for abreast := range slices.Chunk(all, slopeAbreast) {
		f.abreast(p, m, abreast, newAxis(of, false, m.Unit), most)
	}
}

// abreast draws up to three panels with one axis at their left.
func (f *slopes) abreast(p *page, m results.Metric, some []*analysis.Series, y axis, most int) {
	from := pageMargin + slopeAxis
	width := (pageWidth - pageMargin - from - slopeGap*(slopeAbreast-1)) / slopeAbreast
	p.y += 3
	top := p.y + 2*smallText.line() + boldText.line() + 2
	y.left, y.right = top+slopeHeight, top // upwards
	for i, s := range some {
		left := from + (width+slopeGap)*vg.Length(i)
		x := axis{min: 0, max: float64(most) * 1.06, left: left, right: left + width}
		f.panel(p, m, s, x, y, i == 0)
	}
	p.y = y.left + 16
	longest := slices.MaxFunc(some, func(s, t *analysis.Series) int { return len(s.Cells) - len(t.Cells) })
	p.write(smallText, draw.XLeft, from, p.y+3, msg.T("join.colon", msg.T("head.instances"), longest.Counts()))
	p.y += 12
}

// panel draws one series, and its slope in words above.
func (f *slopes) panel(p *page, m results.Metric, s *analysis.Series, x, y axis, labels bool) {
	head := p.y + boldText.line()/2
	p.fit(boldText, draw.XLeft, x.left, head, x.right-x.left, s.Label)
	p.rect(band, x.left, y.right, x.right, y.left)
	if s.TCG {
		p.hatch(faint, x.left, y.right, x.right, y.left)
	}
	for _, t := range y.ticks() {
		at := y.x(t.value)
		p.line(x.left, at, x.right, at, 0.5, faint)
		if t.value == 0 {
			t.label = "0"
			p.line(x.left, at, x.right, at, 0.7, black)
		}
		if labels {
			p.write(smallText, draw.XRight, x.left-4, at, t.label)
		}
	}
	p.line(x.left, y.right, x.left, y.left, 0.7, black)
	st := smallText
	st.color = black
	first, second := head+boldText.line(), head+boldText.line()+smallText.line()
	if len(s.Cells) == 0 {
		p.write(st, draw.XLeft, x.left, first, msg.T("cell.no-values"))
		p.fit(smallText, draw.XLeft, x.left, second, x.right-x.left, s.Why)
		return
	}
	if l, err := s.Line(m.Name, nil, f.a.Run.Manifest.Seed); err == nil {
		f.line(p, s, l, x, y)
		u := msg.ScaleFor(l.Slope.Point, m.Unit)
		p.fit(st, draw.XLeft, x.left, first, x.right-x.left, msg.T("plot.each", u.Signed(l.Slope.Point)))
		p.fit(smallText, draw.XLeft, x.left, second, x.right-x.left, analysis.RangeOf(l.Slope, u.Join(u.Span(l.Slope.Lo, l.Slope.Hi))))
	} else {
		p.write(st, draw.XLeft, x.left, first, msg.T("plot.no-slope"))
	}
	f.counts(p, s, x, y.left)
	for i, c := range s.Cells {
		at := func(v float64, dx vg.Length) (vg.Length, vg.Length, bool) {
			return x.x(float64(max(c.N, 1))) + dx, y.x(v), true
		}
		f.trials(p, c, m.Name, at, f.room(s, i, x), 1.4, false)
		f.sheet.middle(p, black, c.Samples[m.Name], 2.6, at)
	}
}

// counts writes the numbers of instances below a panel, the most first: where they
// are doubled the small ones lie close together, and some have no room.
func (f *slopes) counts(p *page, s *analysis.Series, x axis, y vg.Length) {
	free := pageWidth // what lies to the left of it is free
	for _, c := range slices.Backward(s.Cells) {
		n := max(c.N, 1)
		at := x.x(float64(n))
		p.line(at, y, at, y+3, 0.7, black)
		text := fmt.Sprint(n)
		if half := smallText.width(text) / 2; at+half < free {
			p.write(smallText, draw.XCenter, at, y+9, text)
			free = at - half - 2
		}
	}
}

// room is how wide a cell's trials may be strewn without reaching the next cell's.
func (f *slopes) room(s *analysis.Series, i int, x axis) vg.Length {
	at := func(i int) vg.Length { return x.x(float64(max(s.Cells[i].N, 1))) }
	wide := vg.Length(7)
	if i > 0 {
		wide = min(wide, 0.8*(at(i)-at(i-1)))
	}
	if i+1 < len(s.Cells) {
		wide = min(wide, 0.8*(at(i+1)-at(i)))
	}
	return wide
}

// line draws the line through the medians, and the fan of its slope's interval, or the
// edges of its range, from the fewest instances to the most: beyond nothing was measured.
func (f *slopes) line(p *page, s *analysis.Series, l stats.Line, x, y axis) {
	mid := 0.0
	for _, c := range s.Cells {
		mid += float64(max(c.N, 1)) / float64(len(s.Cells))
	}
	from, to := float64(max(s.Cells[0].N, 1)), float64(max(s.Cells[len(s.Cells)-1].N, 1))
	place := func(n, slope float64) vg.Point {
		v := l.At(mid) + slope*(n-mid)
		return vg.Point{X: x.x(n), Y: max(y.right, min(y.x(v), y.left))}
	}
	if l.Slope.Known() {
		f.used.interval = true
		p.fill(restColor, place(from, l.Slope.Lo), place(mid, 0), place(from, l.Slope.Hi))
		p.fill(restColor, place(to, l.Slope.Lo), place(mid, 0), place(to, l.Slope.Hi))
	} else {
		f.used.span = true
		for _, end := range []float64{l.Slope.Lo, l.Slope.Hi} {
			a, b := place(from, end), place(to, end)
			p.line(a.X, a.Y, b.X, b.Y, 0.5, grey)
		}
	}
	a, b := place(from, l.Slope.Point), place(to, l.Slope.Point)
	p.line(a.X, a.Y, b.X, b.Y, 1, black)
}

func (f *slopes) explain(k *key) {
	f.explainTrials(k, 1.6)
	k.entry(msg.T("key.line"), func(x, y vg.Length) { k.p.line(x-5, y+2, x+5, y-2, 1, black) })
	if f.used.interval {
		k.entry(msg.T("key.slope"), func(x, y vg.Length) {
			k.p.fill(restColor, vg.Point{X: x - 5, Y: y}, vg.Point{X: x + 5, Y: y - 4}, vg.Point{X: x + 5, Y: y + 4})
		})
	}
	if f.used.span {
		k.entry(msg.T("key.range"), func(x, y vg.Length) {
			k.p.line(x-5, y-3, x+5, y+3, 0.5, grey)
			k.p.line(x-5, y+3, x+5, y-3, 0.5, grey)
		})
	}
}
