package plot

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/reports/msg"
)

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
