package plot

import (
	"fmt"
	"image/color"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// A stack draws what each cell's median is made of, as a bar from 0 to 100 % of
// the cell's own median time. Cells differ by factors of a thousand, so that on one
// common scale all but the slowest would vanish: the totals stand beside the
// bars instead.
type stack struct {
	a      *analysis.Analysis
	figure results.Figure
	metric results.Metric
	colors map[string]color.RGBA
}

const barHeight = vg.Length(17)

func (s *stack) draw(p *page) {
	left, right := pageMargin, pageWidth-pageMargin
	p.heading(s.figure.Title, s.figure.Caption)
	p.paragraph(smallText, left, right-left, "Each bar is 100 % of that row's own "+msg.Lower(s.metric.Title)+
		", a median. Each part is a median, too: where these add up to less, the rest of the bar is empty. The totals differ, and are given at the right: don't compare lengths between bars.")
	hatched := false
	for _, c := range s.a.Cells {
		p.y += 8
		hatched = s.bar(p, c, left, right) || hatched
	}
	p.y += 4
	if hatched {
		hatchKey(p, s.a.TCGShows())
	}
	footer(p, s.a)
}

// bar draws one cell: its name and total, the bar, and the names and times of
// its parts. It reports whether the bar is hatched.
func (s *stack) bar(p *page, c *analysis.Cell, left, right vg.Length) bool {
	b := s.a.Breakdown(c, s.metric.Name)
	p.write(boldText, draw.XLeft, left, p.y+6, boldText.fit(c.Name, (right-left)*0.55))
	if b == nil {
		text := "its phases weren't recorded"
		switch {
		case c.NotRun != nil:
			text = analysis.NotRun(c)
		case c.Counted() == 0 && c.Failures() > 0:
			text = fmt.Sprintf("all %s failed", msg.Plural(c.Failures(), "trial"))
		}
		p.y += 13
		p.paragraph(smallText, left, right-left, msg.OneLine(text))
		return false
	}
	total := fmt.Sprintf("total %s, median of %s", msg.Quantity(b.Whole, s.metric.Unit), msg.Plural(b.N, "trial"))
	if b.Apart() && b.Sum > b.Whole {
		total = fmt.Sprintf("the parts' medians add up to %s; ", msg.Percent(b.Sum/b.Whole)) + total
	}
	p.write(bodyText, draw.XRight, right, p.y+6, total)
	p.y += 13
	full := max(1, b.Sum/b.Whole) // a bar that the parts' medians overfill is as long as these
	x := left
	for i, q := range b.Parts {
		wide := vg.Length(q.Share/full) * (right - left)
		colour := s.color(q.Name)
		p.rect(colour, x, p.y, x+wide, p.y+barHeight)
		if c.TCG {
			p.hatch(tint(ink(colour)), x, p.y, x+wide, p.y+barHeight)
		}
		s.partText(p, i, q, colour, c.TCG, x, wide)
		if i > 0 && wide > 1 {
			p.line(x, p.y, x, p.y+barHeight, 0.8, paper)
		}
		x += wide
	}
	if room := right - x; b.Apart() && b.Sum < b.Whole {
		st := smallText
		p.write(st, draw.XCenter, x+room/2, p.y+barHeight/2, st.fit("in no part's median: "+msg.Percent(1-b.Sum/b.Whole), room-4))
	}
	p.frame(black, 0.6, left, p.y, right, p.y+barHeight)
	p.y += barHeight + 3
	s.names(p, b, left, right)
	return c.TCG
}

// partText writes a part's number and name into the bar where they fit. On a
// hatched bar they stand on a plate.
func (s *stack) partText(p *page, i int, q analysis.Part, colour color.RGBA, plate bool, x, wide vg.Length) {
	st := bodyText
	st.color = ink(colour)
	number := strconv.Itoa(i + 1)
	for _, text := range []string{number + " " + q.Title + " " + msg.Percent(q.Share), number + " " + q.Title, number} {
		w := st.width(text)
		if w+6 > wide {
			continue
		}
		if plate {
			p.rect(colour, x+wide/2-w/2-2, p.y+2.5, x+wide/2+w/2+2, p.y+barHeight-2.5)
		}
		p.write(st, draw.XCenter, x+wide/2, p.y+barHeight/2, text)
		return
	}
}

// names lists the parts with their times, wrapped.
func (s *stack) names(p *page, b *analysis.Breakdown, left, right vg.Length) {
	x := left
	for i, q := range b.Parts {
		text := fmt.Sprintf("%d %s %s (%s)", i+1, q.Title, msg.Quantity(q.Median, s.metric.Unit), msg.Percent(q.Share))
		w := 10 + bodyText.width(text) + 10
		if x > left && x+w-10 > right {
			x = left
			p.y += bodyText.line()
		}
		p.rect(s.color(q.Name), x, p.y+2, x+7, p.y+9)
		p.frame(black, 0.4, x, p.y+2, x+7, p.y+9)
		p.write(bodyText, draw.XLeft, x+10, p.y+5.5, text)
		x += w
	}
	p.y += bodyText.line()
}

// color is a part's, the same in every bar of the figure.
func (s *stack) color(name string) color.RGBA {
	if name == analysis.Other {
		return restColor
	}
	if s.colors == nil {
		s.colors = map[string]color.RGBA{}
	}
	c, ok := s.colors[name]
	if !ok {
		c = Paint(len(s.colors))
		s.colors[name] = c
	}
	return c
}

// tint is a colour that lets through what it is drawn over.
func tint(c color.RGBA) color.Color {
	return color.NRGBA{c.R, c.G, c.B, 110}
}
