package reports

import (
	"encoding/base64"
	"fmt"
	"html/template"
	"math"
	"path"
	"slices"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/html"
	"lab/reports/msg"
	"lab/reports/page"
	"lab/reports/plot"
)

// HTML is one page for several runs, with a switch between them; names are what
// the switch calls them.
func HTML(runs []*results.Run, names []string, live bool) ([]byte, error) {
	p := &html.Page{Language: msg.Reader(), Live: live}
	for i, run := range runs {
		p.Runs = append(p.Runs, htmlRun(analysis.Of(run), names[i], p.Language))
	}
	return html.Render(p)
}

// ClassHTML is HTML with something before the runs (nil: nothing), and the guesses of those of one
// scenario next to what they came to.
func ClassHTML(runs []*results.Run, names []string, before func(*page.Page)) ([]byte, error) {
	p := &html.Page{Language: msg.Reader()}
	q := &page.Page{}
	if before != nil {
		before(q)
	}
	by := map[string][]*results.Run{}
	var order []string
	for i, run := range runs {
		r := htmlRun(analysis.Of(run), names[i], p.Language)
		r.GuessPlot = "" // thirty of them, and the table has the same numbers
		p.Runs = append(p.Runs, r)
		if s := run.Manifest.Scenario; by[s] == nil {
			order = append(order, s)
		}
		by[run.Manifest.Scenario] = append(by[run.Manifest.Scenario], run)
	}
	for _, s := range order {
		m, err := analysis.AcrossMachines(by[s])
		if err != nil {
			return nil, err
		}
		classGuesses(q, m)
	}
	p.Class = q.HTML(p.Language)
	return html.Render(p)
}

func htmlRun(a *analysis.Analysis, name string, l *msg.Language) *html.Run {
	m := &a.Run.Manifest
	fold := func(fill func(p *page.Page)) template.HTML {
		p := &page.Page{}
		fill(p)
		return p.HTML(l)
	}
	notes := append(analysis.NotesOf(m), a.Doubts()...)
	r := &html.Run{Rows: []html.Row{}, Metrics: []html.Metric{}, Picture: picture(firstMatrix(a), a, l), Name: name, Scenario: m.Scenario, Question: l.Text(m.Question), Answer: l.Texts(answer(a)), Banners: l.Texts(a.Banners()),
		Tables: fold(func(p *page.Page) {
			for i, x := range a.Metrics {
				p.Section(msg.T("title", x.Title))
				metric(p, a, x, i == 0)
			}
			answers(p, a)
			within(p, a)
		}),
		Guess: fold(func(p *page.Page) { guessed(p, a, false) }), GuessPlot: guessPlot(a, l),
		Notes: fold(func(p *page.Page) { p.Messages(notes...) }), Noted: len(notes),
		Method: fold(func(p *page.Page) {
			p.Text(m.Method)
			method(p, a)
		}),
		Machine: fold(func(p *page.Page) { machine(p, a.Run.Machine) }),
		Files:   []string{"report.md", "trials.csv", "trials.jsonl", "summary.json", "tables.md", "methods.md", "machine.json", "manifest.json", "analysis.ipynb"}}
	for _, c := range a.Cells {
		label := c.Name
		if c.Whole && !c.Mark.IsZero() && !c.TCG {
			label = msg.Join("join.comma", c.Name, c.Mark)
		}
		row := html.Row{Label: l.Text(label), Color: hex(plot.RowColor(c.Hue)), Mark: c.Shape, Emulated: c.TCG}
		if c.NotRun != nil {
			row.NotRun = l.Text(analysis.NotRun(c))
		}
		r.Rows = append(r.Rows, row)
	}
	taints := map[string]int{}
	for _, x := range a.Metrics {
		r.Metrics = append(r.Metrics, htmlMetric(a, x, taints, l))
	}
	r.Taints = make([]string, len(taints))
	for t, i := range taints {
		r.Taints[i] = t
	}
	colors := plot.PartColors{}
	for _, x := range a.Metrics {
		for i, c := range a.Cells {
			if b := a.Breakdown(c, x.Name); b != nil {
				p := html.Parts{Row: i, Of: x.Name, Whole: b.Whole}
				for _, part := range b.Parts {
					p.Parts = append(p.Parts, html.Part{Name: l.Text(part.Title), Value: part.Median, Color: hex(colors.Of(part.Name))})
				}
				r.Parts = append(r.Parts, p)
			}
		}
	}
	for _, v := range a.Verdicts {
		r.Verdicts = append(r.Verdicts, htmlVerdict(v, l))
	}
	return r
}

// guessPlot is the figure of the guesses within the page, which loads nothing.
func guessPlot(a *analysis.Analysis, l *msg.Language) template.URL {
	files, _ := plot.Guesses(a, l) // without it the table is there
	for _, f := range files {
		if path.Ext(f.Name) == ".svg" {
			return embedded(f.Data)
		}
	}
	return ""
}

func embedded(svg []byte) template.URL {
	return template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(svg))
}

// firstMatrix is the first figure, if answers in words are what the run is about.
func firstMatrix(a *analysis.Analysis) *results.Figure {
	if f := a.Run.Manifest.Figures; len(f) > 0 && f[0].Kind == analysis.KindMatrix && len(a.Matrix(f[0]).Rows) > 0 {
		return &f[0]
	}
	return nil
}

// picture is a figure within the page: what can't be pointed at, but is the answer.
func picture(f *results.Figure, a *analysis.Analysis, l *msg.Language) *html.Picture {
	if f == nil {
		return nil
	}
	return &html.Picture{Data: embedded(plot.SVG(a, *f, l)), Title: l.Text(f.Title)}
}

func htmlMetric(a *analysis.Analysis, x results.Metric, taints map[string]int, l *msg.Language) html.Metric {
	out := html.Metric{Name: x.Name, Title: l.Text(x.Title), Unit: x.Unit, Better: x.Better, Help: l.Text(a.Help(x))}
	for _, f := range a.Run.Manifest.Figures {
		out.Log = out.Log || f.Log && slices.Contains(f.Metrics, x.Name)
	}
	for _, c := range a.Cells {
		points := []html.Point{}
		for _, t := range c.Made {
			v, ok := t.Values[x.Name]
			if !ok || t.Failed() || t.Repeated || math.IsNaN(v) || math.IsInf(v, 0) {
				continue
			}
			p := html.Point{N: t.Number, V: v, W: t.Warmup}
			for _, name := range t.Taint {
				if _, ok := taints[name]; !ok {
					taints[name] = len(taints)
				}
				p.T = append(p.T, taints[name])
			}
			points = append(points, p)
		}
		out.Points = append(out.Points, points)
		var st *html.Statistic
		if s := c.Samples[x.Name]; s != nil {
			st = &html.Statistic{Median: s.Median.Point, Lo: s.Median.Lo, Hi: s.Median.Hi, N: s.Median.N, Range: !s.Median.Known()}
			if s.Grouped() {
				for _, g := range s.Groups {
					st.Groups = append(st.Groups, stats.Median(g))
				}
			}
		}
		out.Stats = append(out.Stats, st)
	}
	return out
}

var marksOf = map[string][2]string{analysis.Holds: {"holds", "✓"}, analysis.Fails: {"fails", "✗"}, analysis.Undecided: {"undecided", "?"}, analysis.Unmeasured: {"unmeasured", "–"}}

func htmlVerdict(v analysis.Verdict, l *msg.Language) html.Verdict {
	return html.Verdict{Kind: marksOf[v.Outcome][0], Mark: marksOf[v.Outcome][1], Outcome: l.Text(analysis.Beside(msg.T("title", analysis.OutcomeText(v.Outcome)), v.Caveat)),
		Statement: l.Text(v.Finding.Statement), Figure: l.Text(v.Said), Detail: l.Text(v.Rest())}
}

func hex(c interface{ RGBA() (r, g, b, a uint32) }) string {
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
