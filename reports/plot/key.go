package plot

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/reports/analysis"
	"lab/reports/msg"
)

// heading writes what a picture is called, and what it shows.
func (p *page) heading(title, caption string) {
	const width = pageWidth - 2*pageMargin
	p.paragraph(titleText, pageMargin, width, title)
	if caption != "" {
		p.paragraph(smallText, pageMargin, width, caption)
	}
}

// notRunNotes say which rows a picture hasn't got, and why.
func notRunNotes(a *analysis.Analysis) (out []string) {
	for _, c := range a.Cells {
		if c.NotRun != nil {
			out = append(out, c.Name+": "+analysis.NotRun(c))
		}
	}
	return out
}

// notes writes what must be said below a picture, each on a line of its own.
func (p *page) notes(items []string) {
	for i, s := range items {
		if i == 0 {
			p.y += 4
		}
		p.paragraph(smallText, pageMargin, pageWidth-2*pageMargin, msg.OneLine(s))
	}
	if len(items) > 0 {
		p.y += 2
	}
}

// A key explains a picture's marks, side by side below it, in as many lines as it
// takes. Pictures are copied without the report around them.
type key struct {
	p    *page
	half vg.Length // of the widest mark
	x, y vg.Length // where the next one begins, and the middle of its line
}

// newKey begins a key. The picture goes on at the key's end.
func newKey(p *page, half vg.Length) *key { return &key{p, half, pageMargin, p.y + 5} }

// entry adds a mark, drawn around a point, and what it means.
func (k *key) entry(text string, mark func(x, y vg.Length)) {
	at := 2*k.half + 4
	width := at + bodyText.width(text)
	if k.x > pageMargin && k.x+width > pageWidth-pageMargin {
		k.x, k.y = pageMargin, k.y+bodyText.line()
	}
	mark(k.x+k.half, k.y)
	k.p.write(bodyText, draw.XLeft, k.x+at, k.y, text)
	k.x += width + 12
}

// end is where the picture goes on.
func (k *key) end() { k.p.y = k.y + 7 }

// trials explains the marks of single trials, and their median's.
func (k *key) trials(disturbed bool) {
	k.entry("one trial", func(x, y vg.Length) { k.p.dot(RowColor(0), x, y, 1.6, false) })
	if disturbed {
		k.entry("a disturbed trial (counted)", func(x, y vg.Length) { k.p.dot(RowColor(0), x, y, 1.6, true) })
	}
	k.entry("median", func(x, y vg.Length) { k.p.diamond(black, x, y, 2.6) })
}

// bar explains a line with an end on each side of the mark's point.
func (k *key) bar(text string, width vg.Length) {
	k.entry(text, func(x, y vg.Length) { k.p.line(x-5, y, x+5, y, width, black) })
}
