package plot

import (
	"image/color"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// Phases draw what each cell's median is made of, as a bar from 0 to 100 % of
// the cell's own median time. Cells differ by factors of a thousand, so that on one
// common scale all but the slowest would vanish: the totals stand beside the
// bars instead.
type phases struct {
	*sheet
	metric results.Metric
	colors PartColors
}

func newPhases(s *sheet) figure {
	return &phases{sheet: s, metric: s.a.Whole(s.figure), colors: PartColors{}}
}

const barHeight = vg.Length(17)

func (s *phases) shows() bool { return s.metric.Name != "" }

// panels draws all rows at once, in their order: each has an axis of its own.
func (s *phases) panels(p *page, tcg bool) {
	if tcg {
		return
	}
	left, right := pageMargin, pageWidth-pageMargin
	p.paragraph(smallText, left, right-left, msg.T("phases.bars", s.metric.Title))
	for _, c := range s.a.FigureCells(s.figure) {
		p.y += 8
		s.bar(p, c, left, right)
	}
}

func (s *phases) below() []msg.Message { return nil }
func (s *phases) explain(*key)         {}

// bar draws one cell: its name and total, the bar, and the names and times of
// its parts.
func (s *phases) bar(p *page, c *analysis.Cell, left, right vg.Length) {
	b := s.a.Breakdown(c, s.metric.Name)
	lines := boldText.wrap(p.say(c.Name), right-left)
	for i, l := range lines {
		p.fit(boldText, draw.XLeft, left, p.y+6+vg.Length(i)*boldText.line(), right-left, l)
	}
	p.y += vg.Length(len(lines)-1) * boldText.line()
	if b == nil {
		why := lacks(c, s.metric.Name)
		if c.Samples[s.metric.Name] != nil {
			why = msg.T("phases.unknown")
		}
		p.y += 13
		p.paragraph(smallText, left, right-left, why)
		return
	}
	total := msg.T("phases.total", msg.Quantity(b.Whole, s.metric.Unit), msg.T("trials", b.N))
	if b.Apart() && b.Sum > b.Whole {
		total = msg.T("join.semicolon", msg.T("phases.more", msg.Percent(b.Sum/b.Whole)), total)
	}
	if boldText.width(lines[len(lines)-1])+12+bodyText.width(p.say(total)) > right-left {
		p.y += bodyText.line()
	}
	p.write(bodyText, draw.XRight, right, p.y+6, total)
	p.y += 13
	full := max(1, b.Sum/b.Whole) // a bar that the parts' medians overfill is as long as these
	x := left
	for i, q := range b.Parts {
		wide := vg.Length(q.Share/full) * (right - left)
		colour := s.colors.Of(q.Name)
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
	p.frame(black, 0.6, left, p.y, right, p.y+barHeight)
	p.y += barHeight + 3
	s.names(p, b, left, right)
	s.used.tcg = s.used.tcg || c.TCG
}

// partText writes a part's number and name into the bar where they fit. On a
// hatched bar they stand on a plate.
func (s *phases) partText(p *page, i int, q analysis.Part, colour color.RGBA, plate bool, x, wide vg.Length) {
	st := bodyText
	st.color = ink(colour)
	number := strconv.Itoa(i + 1)
	for _, t := range []msg.Message{msg.T("phases.named-share", number, q.Title, msg.Percent(q.Share)), msg.T("phases.named-only", number, q.Title), msg.Verbatim(number)} {
		text := p.say(t)
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

// names lists the parts with their times, and what is in none of them, wrapped.
func (s *phases) names(p *page, b *analysis.Breakdown, left, right vg.Length) {
	x := left
	name := func(colour color.Color, t msg.Message) {
		text := p.say(t)
		w := 10 + bodyText.width(text) + 10
		if x > left && x+w-10 > right {
			x = left
			p.y += bodyText.line()
		}
		p.rect(colour, x, p.y+2, x+7, p.y+9)
		p.frame(black, 0.4, x, p.y+2, x+7, p.y+9)
		p.write(bodyText, draw.XLeft, x+10, p.y+5.5, text)
		x += w
	}
	for i, q := range b.Parts {
		name(s.colors.Of(q.Name), msg.T("phases.named", strconv.Itoa(i+1), q.Title, msg.Quantity(q.Median, s.metric.Unit), msg.Percent(q.Share)))
	}
	if b.Apart() && b.Sum < b.Whole {
		name(paper, msg.T("phases.rest", msg.Percent(1-b.Sum/b.Whole)))
	}
	p.y += bodyText.line()
}

// partPaint are the colours of the parts that most runs have, so that each has the same
// one in all figures of all runs.
var partPaint = map[string]int{
	"thread": 0, "exec": 1, "first byte": 2, "first answer": 2, "chroot": 3, "cgroup": 4, "namespaces": 5, "root": 6, "/dev": 7, "/sys": 8,
	"network": 9, "pivot_root": 10, "privileges": 11, "/proc": 12, "prepare": 13, "libvirt": 14, "qemu": 15, "configure": 16, "kernel": 17,
	"pull": 0, "make ready": 1, "start": 3, "run": 6,
}

// PartColors are those of the parts of one figure, by name: a part that is not among the
// usual ones has the last colour that is free.
type PartColors map[string]int

// Of is a part's colour.
func (c PartColors) Of(name string) color.RGBA {
	if name == analysis.Other {
		return restColor
	}
	i, ok := partPaint[name]
	if !ok {
		if i, ok = c[name]; !ok {
			i = 3*len(palette) - 1 - len(c)%len(palette)
			c[name] = i
		}
	}
	return Paint(i)
}

// tint is a colour that lets through what it is drawn over.
func tint(c color.RGBA) color.Color {
	return color.NRGBA{c.R, c.G, c.B, 110}
}
