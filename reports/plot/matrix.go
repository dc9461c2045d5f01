package plot

import (
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/reports/analysis"
	"lab/reports/msg"
)

// Matrix draws answers in words: a row for each metric, a column for each cell of
// the run. An answer is a field's colour, from light to dark, and a mark: none, a
// ring, a disc, so that a grey print shows it, too.
type matrix struct {
	*sheet
	m analysis.Matrix
}

func newMatrix(s *sheet) figure { return &matrix{s, s.a.Matrix(s.figure)} }

const (
	matrixRow   = vg.Length(11.5)
	matrixLabel = 66 * vg.Millimeter
	matrixWide  = 24 * vg.Millimeter // a column at most
)

// shades are the fields', by the answer's number: where a higher one is what one wants,
// what fails is orange and what works green; else what is changed has the strong colour.
var (
	shades = []color.RGBA{rgb(0xf4f4f4), palette[5], palette[4]}
	works  = []color.RGBA{rgb(0xf4f4f4), palette[1], palette[2]}
)

// shade is the colour of an answer.
func (f *matrix) shade(level int) color.RGBA {
	s := shades
	if f.m.Rows[0].Metric.Better == "higher" {
		s = works
	}
	return s[min(level, len(s)-1)]
}

func (f *matrix) shows() bool { return len(f.m.Cells) > 0 && len(f.m.Rows) > 0 }

// panels draws all columns at once: no emulation changes an answer.
func (f *matrix) panels(p *page, tcg bool) {
	if tcg {
		return
	}
	left := pageMargin + matrixLabel
	wide := min(matrixWide, (pageWidth-pageMargin-left)/vg.Length(len(f.m.Cells)))
	f.heads(p, left, wide)
	for _, r := range f.m.Rows {
		y := p.y + matrixRow/2
		st := smallText
		st.color = black
		p.fit(st, draw.XRight, left-5, y, matrixLabel-5, r.Metric.Title)
		for i, x := range r.Answers {
			f.field(p, x, left+wide*vg.Length(i), wide)
		}
		p.y += matrixRow
	}
	p.y += 4
}

// heads are the columns' names; where they have no room, they stand upright.
func (f *matrix) heads(p *page, left, wide vg.Length) {
	st := smallText
	st.color = black
	var names []string
	tall := vg.Length(0)
	for _, c := range f.m.Cells {
		name := p.say(c.Short())
		if f.figure.To == c.Env && len(c.Variant) > 0 {
			name = strings.Join(msg.Pairs(c.Variant), ", ")
		}
		names = append(names, name)
		tall = max(tall, st.width(name))
	}
	if tall+3 <= wide {
		p.y += 12
		for i, name := range names {
			p.write(st, draw.XCenter, left+wide*(vg.Length(i)+0.5), p.y-5, name)
		}
		return
	}
	p.y += tall + 6
	for i, name := range names {
		p.upright(st, left+wide*(vg.Length(i)+0.5), p.y-3, name)
	}
}

// upright writes text that begins at a point and goes up from there.
func (p *page) upright(s style, x, y vg.Length, text string) {
	if p.measuring() {
		return
	}
	t := s.text(draw.XLeft, text)
	t.Rotation = math.Pi / 2
	p.c.FillText(t, p.at(x+s.size*0.36+t.FontExtents().Descent, y), text)
}

func (f *matrix) field(p *page, x analysis.Answer, left, wide vg.Length) {
	top, bottom := p.y+0.5, p.y+matrixRow-0.5
	l, r := left+0.5, left+wide-0.5
	if x.Level < 0 {
		p.hatch(faint, l, top, r, bottom)
		return
	}
	p.rect(f.shade(x.Level), l, top, r, bottom)
	f.mark(p, x.Level, (l+r)/2, (top+bottom)/2)
	if x.Differs {
		p.write(boldText, draw.XCenter, (l+r)/2+8, (top+bottom)/2, "?")
	}
	if x.Flips {
		p.frame(black, 1.2, l, top, r, bottom)
	}
}

func (f *matrix) mark(p *page, level int, x, y vg.Length) {
	switch level {
	case 0:
	case 1:
		p.dot(black, x, y, 2.4, true)
	default:
		p.dot(black, x, y, 2.6, false)
	}
}

// explain has a field of each word.
func (f *matrix) explain(k *key) {
	const half = 4.5
	box := func(text msg.Message, fill func(l, t, r, b vg.Length)) {
		k.entry(text, func(x, y vg.Length) { fill(x-half, y-4, x+half, y+4) })
	}
	for i, w := range f.m.Rows[0].Metric.Words {
		box(msg.Verbatim(w), func(l, t, r, b vg.Length) {
			k.p.rect(f.shade(i), l, t, r, b)
			k.p.frame(faint, 0.5, l, t, r, b)
			f.mark(k.p, i, (l+r)/2, (t+b)/2)
		})
	}
	any := func(is func(analysis.Answer) bool) bool {
		return slices.ContainsFunc(f.m.Rows, func(r analysis.MatrixRow) bool { return slices.ContainsFunc(r.Answers, is) })
	}
	if any(func(x analysis.Answer) bool { return x.Level < 0 }) {
		box(msg.T("key.no-answer"), func(l, t, r, b vg.Length) { k.p.hatch(faint, l, t, r, b) })
	}
	if any(func(x analysis.Answer) bool { return x.Flips }) {
		box(msg.T("key.flips"), func(l, t, r, b vg.Length) { k.p.frame(black, 1.2, l, t, r, b) })
	}
	if any(func(x analysis.Answer) bool { return x.Differs }) {
		k.entry(msg.T("key.differs"), func(x, y vg.Length) { k.p.write(boldText, draw.XCenter, x, y, "?") })
	}
}
