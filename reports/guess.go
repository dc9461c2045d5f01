package reports

import (
	"slices"

	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
	"lab/reports/plot"
)

// guessed is the part of a report that sets what was expected beside what was measured;
// with a picture that lies in the folder, or without.
func guessed(p *page.Page, a *analysis.Analysis, picture bool) {
	if a.Run.NoGuess != nil {
		p.Section(msg.T("guess.title"))
		p.Text(msg.T("guess.not", a.Run.NoGuess.Error()))
	}
	g := a.Guesses()
	if g == nil {
		return
	}
	p.Section(msg.T("guess.title"))
	p.Text(msg.T("guess.how", a.Run.Guess.At.UTC().Format("2006-01-02 15:04 MST"), g.Metric.Title, g.Base, analysis.CloseBy))
	if picture && slices.ContainsFunc(g.Rows, func(x analysis.Guessed) bool { return x.Ratio != nil }) {
		p.Picture(plot.GuessesName, msg.T("guess.plot", g.Metric.Title), msg.T("guess.plot-how", g.Base, analysis.CloseBy))
	}
	guessTable(p, g)
	p.Messages(guessScore(g))
}

// guessTable has a line for each row: the guess, what was measured, and whether the two
// are close.
func guessTable(p *page.Page, g *analysis.Guesses) {
	t := page.Table{Align: "lrrl", Head: []page.Text{msg.T("head.environment"), msg.T("head.guess", g.Base), msg.T("head.measured", g.Base), msg.T("head.close")}}
	for _, x := range g.Rows {
		row := []page.Text{x.Name, msg.Times(x.Guess), nil, page.Wrapped{Text: x.Why, Width: 40}}
		if x.Ratio != nil {
			row[2] = msg.T("in-brackets", msg.Times(x.Ratio.Point), analysis.SpanOf(*x.Ratio, msg.Bare))
			row[3] = msg.T("guess.far", msg.Number(x.Off(), 2))
			if x.Close {
				row[3] = msg.T("guess.close")
			}
		}
		t.Rows = append(t.Rows, row)
	}
	if len(t.Rows) > 0 {
		p.Table(t)
	}
}

// guessScore is one line: how many guesses are close, and whether the worst row was
// named.
func guessScore(g *analysis.Guesses) msg.Message {
	if g == nil {
		return msg.Message{}
	}
	var parts []msg.Message
	if n, of := g.Close(); of > 0 {
		parts = append(parts, msg.T("guess.score", n, of, analysis.CloseBy))
	}
	switch {
	case g.Is.IsZero():
	case g.Right:
		parts = append(parts, msg.T("guess.worst-right", g.Is))
	default:
		parts = append(parts, msg.T("guess.worst-wrong", g.Is, g.Worst))
	}
	if parts == nil {
		return msg.T("guess.unjudged")
	}
	return msg.T("guess.brief", msg.Join("join.semicolon", parts...))
}

// classGuesses are the guesses of several runs, by kind of machine.
func classGuesses(p *page.Page, m *analysis.Machines) {
	rows, worst := m.Guesses()
	if len(rows) == 0 && len(worst) == 0 {
		return
	}
	p.Section(msg.T("guess.class"))
	t := page.Table{Align: "llrrr", Head: []page.Text{msg.T("head.kind"), msg.T("head.environment"), msg.T("head.guess", m.BaseName()), msg.T("head.measured", m.BaseName()), msg.T("head.close")}}
	for _, c := range rows {
		t.Rows = append(t.Rows, []page.Text{page.Wrapped{Text: c.Kind, Width: 24}, page.Wrapped{Text: c.Row, Width: 16}, spread(c.Guesses), spread(c.Ratios), msg.T("guess.of", c.Close, len(c.Guesses))})
	}
	if len(t.Rows) > 0 {
		p.Table(t)
	}
	p.Messages(append(worst, msg.T("guess.class-how", analysis.CloseBy))...)
}

// spread is the middle of ratios, and from the least to the largest.
func spread(ratios []float64) page.Text {
	middle, least, most := msg.Times(stats.Median(ratios)), msg.Number(slices.Min(ratios), 3), msg.Number(slices.Max(ratios), 3)
	if least == most {
		return middle
	}
	return msg.T("in-brackets", middle, msg.T("span", least, most))
}
