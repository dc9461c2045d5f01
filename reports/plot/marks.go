package plot

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// A place is where a value is drawn, dy away from its row's middle, and whether its
// axis shows it.
type place func(v float64, dy vg.Length) (x, y vg.Length, ok bool)

// trials draws a row's trials as dots, strewn over a height; disturbed ones are
// hollow, and warm-ups, if wanted, crosses.
func (s *sheet) trials(p *page, c *analysis.Cell, metric string, at place, strewn, radius vg.Length, warmups bool) {
	colour := RowColor(c.Hue)
	for j, t := range c.Made {
		v, ok := t.Values[metric]
		if !ok || t.Failed() || !warmups && !t.Counts() {
			continue
		}
		x, y, shown := at(v, vg.Length(jitter(j))*strewn)
		switch {
		case !shown:
		case t.Warmup:
			p.cross(grey, x, y, radius)
			s.used.warmup = true
		case len(t.Taint) > 0:
			p.dot(colour, x, y, radius, true)
			s.used.disturbed = true
		default:
			p.dot(seeThrough(colour), x, y, radius, false)
		}
	}
}

// middle draws a diamond for a median, and a hollow one for each of two groups'.
func (s *sheet) middle(p *page, c color.Color, x *analysis.Sample, radius vg.Length, at place) {
	s.used.groups = s.used.groups || x.Grouped()
	for _, v := range x.Middles() {
		if x1, y, ok := at(v, 0); ok {
			p.diamond(c, x1, y, radius)
			if x.Grouped() {
				p.diamond(paper, x1, y, radius*0.55)
			}
		}
	}
}

// interval draws an interval as a thick line, a range as a thin one.
func (s *sheet) interval(p *page, c color.Color, x axis, iv stats.Interval, y, thick vg.Length) {
	if s.used.interval = s.used.interval || iv.Known(); !iv.Known() {
		thick, s.used.span = 0.8, true
	}
	p.line(x.x(iv.Lo), y, x.x(iv.Hi), y, thick, c)
}

// explainTrials explains the marks of trials, medians and intervals that were used.
func (s *sheet) explainTrials(k *key, radius vg.Length) {
	k.entry(msg.T("key.trial"), func(x, y vg.Length) { k.p.dot(RowColor(0), x, y, radius, false) })
	if s.used.disturbed {
		k.entry(msg.T("key.disturbed"), func(x, y vg.Length) { k.p.dot(RowColor(0), x, y, radius, true) })
	}
	if s.used.warmup {
		k.entry(msg.T("key.warmup"), func(x, y vg.Length) { k.p.cross(grey, x, y, radius) })
	}
	k.entry(msg.T("key.median"), func(x, y vg.Length) { k.p.diamond(black, x, y, 2.8) })
	if s.used.groups {
		k.entry(msg.T("key.groups"), func(x, y vg.Length) {
			k.p.diamond(black, x, y, 2.8)
			k.p.diamond(paper, x, y, 2.8*0.55)
		})
	}
}

// explainIntervals explains the lines of intervals and ranges that were used.
func (s *sheet) explainIntervals(k *key, interval msg.Message) {
	if s.used.interval {
		k.bar(interval, 2.2)
	}
	if s.used.span {
		k.bar(msg.T("key.range"), 0.8)
	}
}

// bar explains a line with an end on each side of the mark's point.
func (k *key) bar(text msg.Message, width vg.Length) {
	k.entry(text, func(x, y vg.Length) { k.p.line(x-5, y, x+5, y, width, black) })
}

// jitter spreads points over a row, from −0.5 to 0.5, evenly and always the same
// way: the golden ratio's multiples (no two neighbours come close).
func jitter(i int) float64 {
	_, f := math.Modf(float64(i+1) * 0.6180339887498949)
	return f - 0.5
}

// values are all that an axis must cover.
func values(cells []*analysis.Cell, metric string) []float64 {
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

// bands draws every other row's ground.
func (p *page) bands(left, right, top, height vg.Length, n int) {
	for i := 0; i < n; i += 2 {
		y := top + height*vg.Length(i)
		p.rect(band, left, y, right, y+height)
	}
}

// rows draws the ground for n rows from the cursor on, with an axis's grid over it,
// hatched for emulated ones. It returns where they begin and end.
func (p *page) rows(x axis, height vg.Length, n int, tcg bool) (top, bottom vg.Length) {
	top, bottom = p.y, p.y+height*vg.Length(n)
	p.bands(pageMargin, pageWidth-pageMargin, top, height, n)
	if tcg {
		p.hatch(faint, x.left, top, x.right, bottom)
	}
	p.grid(x, top, bottom, bodyText, pageWidth)
	return top, bottom
}

// below goes on under rows, with a note about their axis if there is any.
func (p *page) below(x axis, bottom vg.Length, note msg.Message) {
	p.y = bottom + 16
	if !note.IsZero() {
		p.write(smallText, draw.XLeft, x.left, p.y+4, note)
		p.y += 10
	}
}

// ground is a row's.
func ground(i int) color.Color {
	if i%2 == 0 {
		return band
	}
	return paper
}

// heading writes what a picture is called, and what it shows.
func (p *page) heading(title, caption any) {
	const width = pageWidth - 2*pageMargin
	p.paragraph(titleText, pageMargin, width, title)
	if p.say(caption) != "" {
		p.paragraph(smallText, pageMargin, width, caption)
	}
}

// notes writes what must be said below a picture, each on a line of its own.
func (p *page) notes(items []msg.Message) {
	for i, s := range items {
		if i == 0 {
			p.y += 4
		}
		p.paragraph(smallText, pageMargin, pageWidth-2*pageMargin, s)
	}
	if len(items) > 0 {
		p.y += 2
	}
}

// A key explains a picture's marks, side by side below it, in as many lines as it
// takes. Pictures are copied without the report around them.
type key struct {
	p     *page
	half  vg.Length // of the widest mark
	notes []msg.Message
	x, y  vg.Length // where the next one begins, and the middle of its line
}

// newKey begins a key. The picture goes on at the key's end.
func newKey(p *page, half vg.Length) *key { return &key{p: p, half: half, x: pageMargin, y: p.y + 5} }

// entry adds a mark, drawn around a point, and what it means.
func (k *key) entry(text msg.Message, mark func(x, y vg.Length)) {
	at := 2*k.half + 4
	width := at + bodyText.width(k.p.say(text))
	if k.x > pageMargin && k.x+width > pageWidth-pageMargin {
		k.x, k.y = pageMargin, k.y+bodyText.line()
	}
	mark(k.x+k.half, k.y)
	k.p.write(bodyText, draw.XLeft, k.x+at, k.y, text)
	k.x += width + 12
}

// end is where the picture goes on.
func (k *key) end() {
	k.p.y = k.y + 7
	for _, n := range k.notes {
		k.p.paragraph(smallText, pageMargin, pageWidth-2*pageMargin, n)
	}
}

// note adds a sentence below the marks.
func (k *key) note(text msg.Message) { k.notes = append(k.notes, text) }
