package plot

import (
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// A steps figure draws what a row adds to another one: a bar from the one's median
// to its own, with the interval of the difference around the bar's end. Where each
// row is set beside the one before it the bars are a staircase, and a row that is
// set beside nothing has a bar of its own from zero.
//
// A difference that may as well be none is a hollow bar.
type steps struct {
	*sheet
	hollow bool // a bar was
	beyond bool // an interval goes on beyond the axis
}

func newSteps(s *sheet) figure { return &steps{sheet: s} }

const (
	stepRow   = vg.Length(17)
	stepLabel = 40 * vg.Millimeter
	stepText  = 52 * vg.Millimeter
)

// A step is a row, where its bar begins, and the difference that it stands for.
type step struct {
	cell     *analysis.Cell
	from, to float64
	adds     *stats.Interval // nil: it is set beside nothing
}

func (f *steps) of(m results.Metric, tcg bool) (out []step) {
	for _, c := range f.cells(tcg) {
		x := c.Samples[m.Name]
		if c.NotRun != nil || x == nil {
			continue
		}
		s := step{cell: c, to: x.Median.Point}
		base := f.a.FigureBase(f.figure, c)
		if base != nil && base.Samples[m.Name] != nil {
			if k := f.a.Versus(c, base, m.Name); k != nil {
				s.from, s.adds = base.Samples[m.Name].Median.Point, &k.Difference
			}
		}
		if s.adds == nil && f.figure.To != "" {
			continue
		}
		out = append(out, s)
	}
	return out
}

func (f *steps) panels(p *page, tcg bool) {
	for _, m := range f.metrics() {
		if all := f.of(m, tcg); len(all) > 0 {
			f.panel(p, m, all, tcg)
		}
	}
}

func (f *steps) panel(p *page, m results.Metric, all []step, tcg bool) {
	left, right := pageMargin, pageWidth-pageMargin
	// The axis has all bars, and of intervals what lies near them.
	lo, hi := math.Inf(1), 0.0
	if f.figure.To == "" { // small beside the whole: there the axis need not have zero
		lo = 0
	}
	for _, s := range all {
		lo, hi = min(lo, s.from, s.to), max(hi, s.from, s.to)
	}
	ends := []float64{lo, hi}
	for _, s := range all {
		if s.adds != nil {
			ends = append(ends, max(s.from+s.adds.Lo, lo-(hi-lo)/2, 0), min(s.from+s.adds.Hi, hi+(hi-lo)/2))
		}
	}
	x := newAxis(ends, false, m.Unit)
	x.left, x.right = left+stepLabel, right-stepText
	p.y += 5
	head := msg.T("title", m.Title)
	if tcg {
		f.used.tcg = true
		head = msg.T("plot.own-axis", head, analysis.TCGMark)
	}
	p.write(boldText, draw.XLeft, left+2, p.y+6, head)
	p.write(smallText, draw.XLeft, x.right+6, p.y+6, msg.T("plot.steps"))
	p.y += 13
	top, bottom := p.rows(x, stepRow, len(all), tcg)
	if base := f.a.FigureBase(f.figure, all[0].cell); f.figure.To != "" && base != nil {
		at := x.x(all[0].from)
		p.line(at, top, at, bottom, 1.2, black)
	}
	for i, s := range all {
		f.row(p, x, m, s, top+stepRow*vg.Length(i))
	}
	p.below(x, bottom, x.note())
}

func (f *steps) row(p *page, x axis, m results.Metric, s step, y vg.Length) {
	colour, middle := RowColor(s.cell.Hue), y+stepRow/2
	p.fit(bodyText, draw.XLeft, pageMargin+2, middle, stepLabel-6, msg.Verbatim(s.cell.Cell.Label()))
	from, to := x.x(max(s.from, x.min)), x.x(s.to)
	if from > to {
		from, to = to, from
	}
	p.rect(colour, from, middle-4.5, max(to, from+0.8), middle+4.5)
	u := msg.ScaleFor(s.to, m.Unit)
	text := msg.Verbatim(u.With(s.to))
	if s.adds != nil {
		if s.adds.Known() && s.adds.Lo <= 0 && s.adds.Hi >= 0 && to-from > 2.4 {
			p.rect(paper, from+1.2, middle-3.3, to-1.2, middle+3.3)
			f.hollow = true
		}
		iv := *s.adds
		at := stats.Interval{Point: s.to, Lo: max(s.from+iv.Lo, x.min), Hi: min(s.from+iv.Hi, x.max), Method: iv.Method, Confidence: iv.Confidence}
		f.beyond = f.beyond || at.Lo != s.from+iv.Lo || at.Hi != s.from+iv.Hi
		f.interval(p, black, x, at, middle, 1.4)
		u = msg.ScaleFor(iv.Point, m.Unit)
		text = msg.T("in-brackets", u.Signed(iv.Point), analysis.SpanOf(iv, u))
	}
	st := bodyText
	st.color = colour
	p.fit(st, draw.XLeft, x.right+6, middle, stepText-6, text)
}

func (f *steps) explain(k *key) {
	k.entry(msg.T("key.step"), func(x, y vg.Length) { k.p.rect(RowColor(0), x-5, y-3, x+5, y+3) })
	if f.hollow {
		k.entry(msg.T("key.step-none"), func(x, y vg.Length) {
			k.p.rect(RowColor(0), x-5, y-3, x+5, y+3)
			k.p.rect(paper, x-4, y-2, x+4, y+2)
		})
	}
	f.explainIntervals(k, msg.T("key.joint"))
	if f.beyond {
		k.note(msg.T("key.beyond"))
	}
}
