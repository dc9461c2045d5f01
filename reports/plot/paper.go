package plot

import (
	"time"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/reports/analysis"
	"lab/reports/msg"
)

// PaperName is the file of the figure that a paper's report has.
const PaperName = "paper"

// Paper draws a line for each row that has a ratio: the published one, hollow, and the one
// here with its interval, on one logarithmic axis. Without such rows there is no file.
func Paper(title string, rows []analysis.PaperRow, made time.Time, l *msg.Language) ([]File, error) {
	var shown []analysis.PaperRow
	values := []float64{1}
	for _, r := range rows {
		if r.Ratio > 0 {
			shown = append(shown, r)
			values = append(values, r.Ratio)
		}
		if r.Ratio > 0 && r.Here != nil && r.Here.Lo > 0 {
			values = append(values, r.Here.Lo, r.Here.Hi)
		}
	}
	if shown == nil {
		return nil, nil
	}
	return drawn(PaperName, made, l, func(p *page) {
		s := &sheet{}
		p.heading(msg.T("paper.plot", title), msg.T("paper.plot-how"))
		const height = vg.Length(18)
		x := newAxis(values, true, unitRatio)
		x.left, x.right = pageMargin+machineLabel, pageWidth-pageMargin-ratioText
		p.y += 8
		top, bottom := p.rows(x, height, len(shown), false)
		p.line(x.x(1), top, x.x(1), bottom, 1.2, black)
		for i, r := range shown {
			y := top + height*(vg.Length(i)+0.5)
			writeNarrow(p, r.Name, pageMargin+2, y, machineLabel-6)
			if r.Here != nil && r.Here.Lo > 0 {
				p.line(x.x(r.Ratio), y, x.x(r.Here.Point), y, 0.8, grey)
				s.interval(p, palette[0], x, *r.Here, y, 2.2)
				p.diamond(palette[0], x.x(r.Here.Point), y, 3.4)
			}
			p.dot(black, x.x(r.Ratio), y, 4, true)
			p.fit(smallText, draw.XLeft, x.right+6, y, ratioText-8, r.Verdict())
		}
		p.below(x, bottom, x.note())
		p.y += 6
		k := newKey(p, 5)
		k.entry(msg.T("paper.key"), func(x, y vg.Length) { k.p.dot(black, x, y, 4, true) })
		k.entry(msg.T("key.ratio"), func(x, y vg.Length) { k.p.diamond(palette[0], x, y, 3.4) })
		s.explainIntervals(k, msg.T("key.joint"))
		k.end()
	})
}
