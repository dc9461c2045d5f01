package reports

import (
	"io"
	"slices"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

// Terminal writes the run's headline table with what must be known to read
// it: banners above; rows without values, verdicts and notes below. It fits a
// screen; the rest is in the report.
func Terminal(w io.Writer, run *results.Run, o page.Options) error {
	return brief(analysis.Of(run)).Terminal(w, o)
}

func brief(a *analysis.Analysis) *page.Page {
	p := &page.Page{}
	for _, b := range a.Banners() {
		p.Banner(b)
	}
	if len(a.Metrics) > 0 {
		p.Title(msg.T("brief.title", msg.Name(a.Run.Manifest.Scenario), a.Metrics[0].Title))
		headline(p, a, a.Metrics[0])
	}
	p.Gap()
	unmeasured(p, a)
	marks(p, a)
	p.Messages(guessScore(a.Guesses()))
	p.Messages(analysis.NotesOf(&a.Run.Manifest)...)
	if n := len(a.Caveats(false)); n > 0 {
		p.Messages(msg.T("brief.caveats", n))
	}
	return p
}

// What leaves room for the rest on a screen of 24: lines of a table, and rows and
// verdicts of a run that has very many.
const (
	tableLines                     = 14
	veryMany, mostRows             = 16, 8
	veryManyVerdicts, mostVerdicts = 8, 5
)

// headline is a metric's table, with two more metrics where there is room. Where one
// line a row is too wide, the intervals move to a line of their own, and further
// metrics are left out one by one; where the table is too long, the intervals are.
func headline(p *page.Page, a *analysis.Analysis, m results.Metric) {
	others := a.Metrics[1:min(len(a.Metrics), 3)]
	name, base := msg.T("head.environment"), a.BaseName()
	by, joint, median := msg.T("head.by", base), a.Joint(m.Name), medianHeading(a, m)
	wide := page.Table{Most: tableLines, Head: []page.Text{name, msg.T("head.trials"), median, msg.T("head.interval", "95 %"),
		addedHeading(a, m), msg.T("head.interval", joint), by}}
	narrow := page.Table{Most: tableLines, Head: []page.Text{name, msg.T("head.trials"), page.Lines{msg.T("head.median-and", median), msg.T("head.interval", "95 %")},
		page.Wrapped{Text: msg.T("join.comma", addedHeading(a, m), joint), Width: 18}, page.Wrapped{Text: by, Width: 7}}}
	short := page.Table{Head: []page.Text{name, msg.T("head.trials"), page.Wrapped{Text: median, Width: 10}, page.Wrapped{Text: addedHeading(a, m), Width: 18}, by}}
	rows, more := firstRows(slices.DeleteFunc(metricRows(a, m, others), func(r row) bool { return r.cell.Silent(m.Name) }))
	if slices.ContainsFunc(rows, func(r row) bool { return r.cell.Failures() > 0 }) {
		short.Head[1] = page.Lines{msg.T("head.trials"), msg.T("head.failed")}
	}
	for _, o := range others {
		head := medianScale(a, o).Head(msg.Verbatim(o.Name))
		wide.Head, narrow.Head = append(wide.Head, head), append(narrow.Head, head)
	}
	for _, r := range rows {
		var more []page.Text
		for _, o := range r.others {
			more = append(more, o)
		}
		trials, few := page.Text(r.trials()), page.Text(r.trials())
		if n := r.cell.Failures(); n > 0 && r.cell.NotRun == nil {
			trials = page.Lines{r.cell.Counted(), msg.T("cell.of-them-failed", n)}
			few = msg.T("cell.failed-short", r.cell.Counted(), n)
		}
		wide.Rows = append(wide.Rows, append([]page.Text{r.cell.Name, r.trials(), r.median, r.ends, r.added, r.addedE, r.ratio}, more...))
		narrow.Rows = append(narrow.Rows, append([]page.Text{page.Wrapped{Text: r.cell.Name, Width: 22}, trials,
			page.Lines{r.median, r.ends}, page.Lines{r.added, r.addedE}, r.fast()}, more...))
		short.Rows = append(short.Rows, []page.Text{r.cell.Short(), few, r.median, r.added, r.fast()})
	}
	short.Note = msg.T("brief.intervals")
	if more > 0 {
		short.Note = msg.T("brief.more-rows", more)
		wide.Note, narrow.Note = short.Note, short.Note
	}
	tables := []page.Table{narrow}
	for range others {
		tables = append(tables, tables[len(tables)-1].Without(len(tables[len(tables)-1].Head)-1))
	}
	least := short.Without(3)
	for i, r := range rows {
		if r.cell.IsBase { // it may be one of several
			least.Rows[i][3] = r.added
		}
	}
	p.Table(wide, append(tables, short, least)...)
}

// firstRows are the rows that a terminal shows of a table: all, or of very many as many
// of each environment as there is room for, with the number of the rest.
func firstRows(all []row) (rows []row, more int) {
	if len(all) <= veryMany {
		return all, 0
	}
	for each := 1; ; each++ {
		of := map[string]int{}
		next := slices.DeleteFunc(slices.Clone(all), func(r row) bool {
			of[r.cell.Env]++
			return of[r.cell.Env] > each
		})
		if each > 1 && len(next) > mostRows {
			return rows, len(all) - len(rows)
		}
		rows = next
	}
}

// unmeasured says which rows have no values, once for each reason.
func unmeasured(p *page.Page, a *analysis.Analysis) {
	var why msg.Gathered
	for _, c := range a.Cells {
		if c.NotRun != nil {
			why.Add(analysis.NotRun(c), c.Name)
		} else if c.Counted() == 0 && c.Failures() > 0 {
			why.Add(c.AllFailed(), c.Name)
		} else if len(a.Metrics) > 0 {
			if m := a.Metrics[0]; c.Samples[m.Name] == nil && !c.Why(m.Name).IsZero() {
				why.Add(msg.T("brief.no-value", m.Title, c.Why(m.Name)), c.Name)
			}
		}
	}
	reasons(p, &why)
}

// reasons has a line for each: of which rows, and why.
func reasons(p *page.Page, why *msg.Gathered) {
	const many = 5
	for reason, rows := range why.All() {
		who := msg.Join("join.semicolon", rows...)
		if n := len(rows); n > many {
			who = msg.T("rows", n)
		}
		p.Mark(page.Yellow, msg.T("mark.head", who), reason)
	}
}

// marks has a line for each verdict: its mark, the statement and the figure. The
// threshold, the interval and the reason are in the report.
func marks(p *page.Page, a *analysis.Analysis) {
	if len(a.Verdicts) == 0 {
		return
	}
	p.Subsection(msg.T("brief.verdicts"))
	none, verdicts := 0, slices.Clone(a.Verdicts)
	if len(verdicts) > veryManyVerdicts {
		rank := []string{analysis.Fails, analysis.Undecided, analysis.Holds}
		slices.SortStableFunc(verdicts, func(v, w analysis.Verdict) int {
			return slices.Index(rank, v.Outcome) - slices.Index(rank, w.Outcome)
		})
	}
	n := map[string]int{} // rows that a statement is judged of
	for _, v := range verdicts {
		n[v.Finding.Statement]++
	}
	shown, more := 0, map[string]int{}
	for _, v := range verdicts {
		if v.Outcome == analysis.Unmeasured {
			none++
			continue
		}
		mark, color := sign(v.Outcome)
		if shown++; len(verdicts) > veryManyVerdicts && shown > mostVerdicts {
			more[mark]++
			continue
		}
		star := " "
		if !v.Caveat.IsZero() {
			star = "*"
		}
		text := msg.Verbatim(v.Finding.Statement)
		if n[v.Finding.Statement] > 1 {
			text = msg.T("join.colon", v.Cell, text)
		}
		p.Mark(color, mark+star, text, v.Figure)
	}
	for _, sign := range []string{"x", "?", "+"} {
		if more[sign] > 0 {
			p.Mark(page.Yellow, sign, msg.T("brief.more", more[sign]))
		}
	}
	if none > 0 {
		mark, color := sign(analysis.Unmeasured)
		p.Mark(color, mark, msg.T("answer.unmeasured", none))
	}
}

// sign is an outcome's mark on a terminal, with its colour.
func sign(outcome string) (string, page.Color) {
	switch outcome {
	case analysis.Holds:
		return "+", page.Green
	case analysis.Fails:
		return "x", page.Red
	case analysis.Unmeasured:
		return "-", page.Yellow
	}
	return "?", page.Yellow
}
