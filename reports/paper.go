package reports

import (
	"bytes"
	"encoding/base64"
	"path"
	"slices"
	"strings"
	"time"

	"lab/bench/paper"
	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
	"lab/reports/plot"
)

// PaperFile is the copy of a paper's file in the folder of its report.
const PaperFile = "paper.yaml"

// Paper is the page that sets a paper's figures next to those of these runs: a table on
// a terminal; as a file also where each figure is from, its rule, and what differs.
func Paper(s *paper.Suite, runs []*results.Run, whole bool) *page.Page {
	return paperPage(s, analysis.OfPaper(s, runs, nil), runs, whole)
}

func paperPage(s *paper.Suite, rows []analysis.PaperRow, runs []*results.Run, whole bool) *page.Page {
	p := &page.Page{}
	p.Title(s.Title)
	p.Text(s.Paper)
	if slices.ContainsFunc(runs, func(r *results.Run) bool { return r.Manifest.Quick }) {
		p.Banner(msg.T("claims.quick"))
	}
	n := map[string]int{}
	for _, r := range rows {
		n[r.Outcome]++
	}
	measured := 0
	for _, r := range rows {
		if !r.Figure.IsZero() {
			measured++
		}
	}
	p.Text(msg.T("paper.count", len(rows), measured, n[analysis.Holds], n[analysis.Fails], n[analysis.Undecided]))
	t := page.Table{Head: []page.Text{msg.T("paper.row"), msg.T("paper.published"), msg.T("paper.here"), msg.T("paper.verdict")}, Align: "lrrl"}
	brief := t
	for _, r := range rows {
		if !whole && r.Figure.IsZero() {
			continue // why is in the file
		}
		line := []page.Text{r.Name, published(r), here(r), r.Verdict()}
		t.Rows = append(t.Rows, line)
		if line = slices.Clone(line); r.Here != nil {
			line[2] = msg.Times(r.Here.Point)
		}
		brief.Rows = append(brief.Rows, line)
	}
	if t.Rows != nil {
		p.Table(t, brief)
	}
	p.Gap()
	if !whole {
		if n := len(rows) - len(t.Rows); n > 0 {
			p.Text(msg.T("paper.rest", n))
		}
		p.Text(msg.T("paper.marks"))
		return p
	}
	p.Text(msg.T("paper.how"))
	if s.Note != "" {
		p.Text(s.Note)
	}
	for _, r := range rows {
		p.Section(r.Name)
		p.Text(msg.T("title", r.Verdict()))
		var items []page.Text
		if x := r.Published; x != nil {
			items = append(items, msg.T("paper.source", absolute(x), x.Source))
			if x.Abstract {
				items = append(items, msg.T("paper.abstract"))
			}
		} else {
			items = append(items, msg.T("paper.no-value"))
		}
		if h := r.Row.Here; h != nil {
			of := msg.T("paper.measure", h.Scenario, h.Metric, results.Label(h.Of, h.OfVariant, 1))
			if h.To != "" {
				of = msg.T("paper.against", of, results.Label(h.To, h.ToVariant, 1))
			}
			items = append(items, of)
		}
		if !r.Figure.IsZero() {
			figure := msg.T("paper.measured", r.Figure)
			if r.Here != nil {
				figure = msg.Join("join.semicolon", figure, here(r))
			}
			items = append(items, figure)
		}
		if a := r.Agrees; a != nil {
			items = append(items, msg.T(paperRules[a.Rule], msg.Round(a.By), a.Group, a.Why))
		}
		if r.Differs != "" {
			items = append(items, msg.T("paper.differs", r.Differs))
		}
		for _, more := range []msg.Message{r.Which, r.Why} {
			if !more.IsZero() {
				items = append(items, more)
			}
		}
		p.List(items...)
	}
	return p
}

var paperRules = map[string]string{paper.Within: "paper.within", paper.Direction: "paper.direction", paper.Rank: "paper.rank"}

// published is a row's figure as the paper has it.
func published(r analysis.PaperRow) page.Text {
	switch {
	case r.Published == nil:
		return ""
	case r.Ratio > 0:
		return msg.Times(r.Ratio)
	}
	return absolute(r.Published)
}

// absolute is what was published, in the paper's own unit.
func absolute(x *paper.Published) string {
	out := msg.Round(x.Value) + " " + x.Unit
	if x.Native != nil {
		out += " / " + msg.Round(*x.Native) + " " + x.Unit
	}
	return out
}

func here(r analysis.PaperRow) msg.Message {
	if r.Here == nil {
		return r.Figure
	}
	return msg.T("paper.ratio", msg.Times(r.Here.Point), msg.Bare.Span(r.Here.Lo, r.Here.Hi))
}

// WritePaper writes the report of a paper and these runs into the folder dir, as the
// user's; data is the paper's file, and lacks says why scenarios have no run, or is nil.
func WritePaper(s *paper.Suite, data []byte, runs []*results.Run, lacks map[string]error, dir string, uid, gid int) error {
	l, rows := msg.Reader(), analysis.OfPaper(s, runs, lacks)
	var made time.Time
	var names []string
	for _, r := range runs {
		names = append(names, r.Manifest.Scenario)
		if r.Manifest.Started.After(made) {
			made = r.Manifest.Started
		}
	}
	plots, err := plot.Paper(s.Title, rows, made, l)
	if err != nil {
		return err
	}
	p := paperPage(s, rows, runs, true)
	if plots != nil {
		p.Picture(plot.PaperName, msg.T("paper.plot", s.Title), msg.T("paper.plot-how"))
	}
	html, err := ClassHTML(runs, names, func(q *page.Page) { q.Append(p) })
	if err != nil {
		return err
	}
	for _, f := range plots { // the page loads nothing
		if path.Ext(f.Name) == ".svg" {
			data := "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(f.Data)
			html = bytes.ReplaceAll(html, []byte(`src="`+f.Name+`"`), []byte(`src="`+data+`"`))
		}
	}
	return writeFiles(dir, slices.Concat([]plot.File{{Name: "report.md", Data: p.Markdown(l)}, {Name: "report.html", Data: html},
		{Name: PaperFile, Data: []byte(strings.TrimRight(string(data), "\n") + "\n")}}, plots), uid, gid, nil)
}
