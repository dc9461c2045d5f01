package plot

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// GuessesName is the file of the figure that a run with a guess has besides its
// scenario's.
const GuessesName = "guesses"

// Guesses draws a line for each row: what was guessed, hollow, and what was measured,
// with its interval, on one logarithmic axis. Between the two lies how far off it was. Without a guess there is no file.
func Guesses(a *analysis.Analysis, l *msg.Language) ([]File, error) {
	g := a.Guesses()
	if g == nil {
		return nil, nil
	}
	var rows []analysis.Guessed
	values := []float64{1}
	for _, x := range g.Rows {
		if x.Ratio != nil && x.Ratio.Lo > 0 {
			rows = append(rows, x)
			values = append(values, x.Guess, x.Ratio.Lo, x.Ratio.Point, x.Ratio.Hi)
		}
	}
	if rows == nil {
		return nil, nil
	}
	s := &sheet{a: a, figure: results.Figure{Name: GuessesName}}
	return drawn(GuessesName, a.Run.Manifest.Started, l, func(p *page) {
		p.heading(msg.T("guess.plot", g.Metric.Title), msg.T("guess.plot-how", g.Base, analysis.CloseBy))
		const height = vg.Length(26)
		left := pageMargin
		x := newAxis(values, true, unitRatio)
		x.left, x.right = left+labelWidth, pageWidth-pageMargin-ratioText
		p.y += 8
		top, bottom := p.rows(x, height, len(rows), false)
		p.line(x.x(1), top, x.x(1), bottom, 1.2, black)
		for i, r := range rows {
			y, colour := top+height*(vg.Length(i)+0.5), RowColor(r.Cell.Hue)
			writeLabel(p, r.Cell, left+2, y, true)
			s.interval(p, colour, x, *r.Ratio, y, 2.2)
			p.line(x.x(r.Guess), y, x.x(r.Ratio.Point), y, 0.6, black) // over the interval, which may be wider
			p.diamond(colour, x.x(r.Ratio.Point), y, 3.4)
			p.dot(colour, x.x(r.Guess), y, 4, true)
			text := msg.T("guess.far", msg.Number(r.Off(), 2))
			if r.Close {
				text = msg.T("guess.close")
			}
			p.fit(smallText, draw.XLeft, x.right+6, y, ratioText-8, text)
		}
		p.below(x, bottom, x.note())
		p.y += 6
		k := newKey(p, 5)
		k.entry(msg.T("key.guess"), func(x, y vg.Length) { k.p.dot(black, x, y, 4, true) })
		k.entry(msg.T("key.ratio"), func(x, y vg.Length) { k.p.diamond(black, x, y, 3.4) })
		s.explainIntervals(k, msg.T("key.joint"))
		k.end()
		footer(p, a)
	})
}
