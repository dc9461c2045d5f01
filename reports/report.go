package reports

import (
	"slices"
	"strconv"
	"strings"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
	"lab/reports/plot"
)

// report is report.md: something that a teacher can hand out. It opens with
// what the run shows, and ends with how to repeat it.
func report(a *analysis.Analysis) *page.Page {
	p := &page.Page{}
	m := a.Run.Manifest
	title := msg.Verbatim(m.Scenario)
	if m.Question != "" {
		title = msg.T("join.colon", m.Scenario, m.Question)
	}
	p.Title(title)
	for _, b := range a.Banners() {
		p.Banner(b)
	}
	opening(p, a)
	figures(p, a)
	for i, x := range a.Metrics {
		p.Section(msg.T("title", x.Title))
		metric(p, a, x, i == 0)
	}
	answers(p, a)
	slopes(p, a)
	sessions(p, a)
	phases(p, a)
	verdicts(p, a)
	notRun(p, a)
	p.Section(msg.T("report.doubts"))
	p.Messages(a.Doubts()...)
	p.Section(msg.T("report.method"))
	if m.Method != "" {
		p.Text(m.Method)
	}
	p.Text(design(a))
	p.Text(msg.T("report.see-methods"))
	p.Section(msg.T("report.machine"))
	machine(p, a.Run.Machine)
	repeat(p, a)
	return p
}

func opening(p *page.Page, a *analysis.Analysis) {
	p.Section(msg.T("report.shows"))
	p.Text(msg.T("report.here"))
	p.Messages(sentences(a)...)
	var judged []msg.Message
	for _, v := range a.Verdicts {
		judged = append(judged, msg.T("report.judged", v.Finding.Statement, judgement(v), v.Cell))
	}
	if len(judged) > 0 {
		p.Text(msg.T("report.people-say"))
		p.Messages(judged...)
	}
	var notes []msg.Message
	seen, whole := map[string]bool{}, false
	for _, c := range a.Cells {
		e := a.Run.Manifest.Environment(c.Env)
		n := caveatOf(e, c.TCG)
		if !n.IsZero() && !seen[c.Env] && c.NotRun == nil {
			notes = append(notes, msg.T("environment.is", c.Env, n))
			seen[c.Env], whole = true, whole || e.WholeCommand
		}
	}
	if whole {
		notes = append(notes, msg.T("environment.whole-command"))
	}
	if notes = append(notes, analysis.NotesOf(&a.Run.Manifest)...); len(notes) > 0 {
		p.Text(msg.T("report.read-rows"))
		p.Messages(notes...)
	}
}

// judgement is a verdict's outcome with its caveat.
func judgement(v analysis.Verdict) msg.Message {
	return analysis.Beside(msg.T("outcome.title", analysis.OutcomeText(v.Outcome)), v.Caveat)
}

// caveatOf is what must be said of an environment wherever its figures stand. A
// guest under TCG bounds nothing.
func caveatOf(e results.Environment, tcg bool) msg.Message {
	if e.Caveat == "" {
		return msg.Message{}
	}
	text := msg.Verbatim(e.Caveat)
	if tcg {
		text = msg.T("environment.emulated", text)
	} else if e.LowerBound {
		text = msg.T("environment.lower-bound", text)
	}
	return text
}

func figures(p *page.Page, a *analysis.Analysis) {
	for _, f := range a.Run.Manifest.Figures {
		if why := plot.Undrawable(a, f); !why.IsZero() {
			p.Text(msg.T("figure.not-drawn", why))
			continue
		}
		p.Picture(f.Name, f.Title, f.Caption)
	}
}

// metric is a metric's table, and how far its rows lie apart. Why a row didn't run
// is said in the first.
func metric(p *page.Page, a *analysis.Analysis, m results.Metric, first bool) {
	if help := a.Help(m); !help.IsZero() {
		p.Text(help)
	}
	p.Table(metricTable(a, m, first))
	differ := []msg.Message{a.JointWhy(m.Name)}
	for _, c := range a.Cells {
		if x := c.Samples[m.Name]; x != nil && x.Against != nil && x.Against.Difference.Known() {
			k := x.Against
			differ = append(differ, msg.T("report.effect", c.Name, c.Base.Name, msg.Number(k.Effect.Delta, 2), msg.T(effectSizes[k.Effect.Size()]), msg.Probability(k.P)))
		}
	}
	p.Messages(differ...)
}

var effectSizes = map[string]string{"negligible": "effect.negligible", "small": "effect.small", "medium": "effect.medium", "large": "effect.large"}

// slopes is the table of what one more instance costs.
func slopes(p *page.Page, a *analysis.Analysis) {
	for _, m := range a.SlopesShown() {
		p.Section(msg.T("slopes.title", m.Title))
		p.Text(msg.T("slopes.how"))
		t := page.Table{Head: []page.Text{msg.T("head.environment"), msg.T("head.instances"), msg.T("head.each"), msg.T("head.interval", "95 %"),
			msg.T("head.less", a.BaseName()), msg.T("head.interval", "95 %")}}
		all := a.Series(m.Name)
		base := slices.IndexFunc(all, func(s *analysis.Series) bool {
			return len(s.Cells) > 0 && (s.Label == analysis.Baseline || a.FirstIsBase && !s.TCG)
		})
		for i, s := range all {
			row := []page.Text{s.Name(), s.Counts(), nil, nil, nil, nil}
			fill := func(at int, minus *analysis.Series) bool {
				l, err := s.Line(m.Name, minus, a.Run.Manifest.Seed)
				if err != nil {
					return false
				}
				u := msg.ScaleFor(l.Slope.Point, m.Unit)
				row[at], row[at+1] = u.Signed(l.Slope.Point), analysis.RangeOf(l.Slope, u.Join(u.Span(l.Slope.Lo, l.Slope.Hi)))
				return true
			}
			switch {
			case len(s.Cells) == 0:
				row[1] = s.Why
			case !fill(2, nil):
				row[2] = msg.T("cell.no-slope")
			}
			switch {
			case i == base:
				row[4] = msg.T("cell.baseline")
			case s.TCG:
				row[4] = msg.T("cell.not-compared")
			case base >= 0:
				fill(4, all[base])
			}
			t.Rows = append(t.Rows, row)
		}
		p.Table(t)
	}
}

// sessions is the table of the headline metric by session.
func sessions(p *page.Page, a *analysis.Analysis) {
	x := a.Run.Manifest.Asked
	if x == nil || x.Sessions < 2 || len(a.Metrics) == 0 {
		return
	}
	m := a.Metrics[0]
	p.Section(msg.T("sessions.title"))
	p.Text(msg.T("sessions.how", x.Sessions, m.Title))
	t := page.Table{Align: "ll", Head: []page.Text{msg.T("head.environment"), msg.T("head.session-medians"), msg.T("head.between"), msg.T("head.within")}}
	for _, c := range a.Cells {
		v, err := c.Spread(m.Name)
		if err != nil {
			if c.NotRun == nil {
				t.Rows = append(t.Rows, []page.Text{c.Name, msg.T("sessions.few"), nil, nil})
			}
			continue
		}
		var medians []msg.Message
		u := msg.ScaleFor(v.Medians[0], m.Unit)
		for _, x := range v.Medians {
			medians = append(medians, msg.Verbatim(u.In(x)))
		}
		t.Rows = append(t.Rows, []page.Text{c.Name, u.Join(msg.Join("join.comma", medians...)), u.With(v.Between), u.With(v.Within)})
	}
	p.Table(t)
}

// phases is a table for each row whose time has parts.
func phases(p *page.Page, a *analysis.Analysis) {
	any := false
	for _, m := range a.Metrics {
		for _, c := range a.Cells {
			b := a.Breakdown(c, m.Name)
			if b == nil {
				continue
			}
			if !any {
				p.Section(msg.T("phases.title"))
				p.Text(msg.T("phases.how"))
				any = true
			}
			t := page.Table{Head: []page.Text{msg.T("head.part", c.Name), msg.T("head.median"), msg.T("head.share")}}
			for _, x := range b.Parts {
				t.Rows = append(t.Rows, []page.Text{x.Title, msg.Quantity(x.Median, m.Unit), msg.Percent(x.Share)})
			}
			if b.Apart() {
				t.Rows = append(t.Rows, []page.Text{msg.T("phases.sum"), msg.Quantity(b.Sum, m.Unit), msg.Percent(b.Sum / b.Whole)})
			}
			t.Rows = append(t.Rows, []page.Text{msg.T("phases.whole", m.Title), msg.T("bold", msg.Quantity(b.Whole, m.Unit)), nil})
			p.Table(t)
		}
	}
}

func verdicts(p *page.Page, a *analysis.Analysis) {
	if len(a.Verdicts) == 0 {
		return
	}
	p.Section(msg.T("verdicts.title"))
	p.Text(msg.T("verdicts.how"))
	var items []msg.Message
	for _, v := range a.Verdicts {
		items = append(items, msg.T("verdicts.item", judgement(v), v.Finding.Statement, v.Brief()))
	}
	p.Messages(items...)
}

func notRun(p *page.Page, a *analysis.Analysis) {
	var items []msg.Message
	for _, c := range a.Cells {
		if c.NotRun != nil {
			items = append(items, msg.T("notrun.item", c.Name, analysis.NotRun(c)))
		}
	}
	if len(items) > 0 {
		p.Section(msg.T("notrun.title"))
		p.Messages(items...)
	}
}

// repeat says what the run was, and how to do it once more.
func repeat(p *page.Page, a *analysis.Analysis) {
	m := a.Run.Manifest
	p.Section(msg.T("repeat.title"))
	if len(m.Command) > 0 {
		p.Code("sudo lab " + command(a))
	}
	items := []msg.Message{msg.T("repeat.run", m.ID, m.Lab, strconv.FormatUint(m.Seed, 10))}
	if !m.Started.IsZero() {
		began := m.Started.UTC().Format("2006-01-02 15:04:05 MST")
		if m.Ended.IsZero() {
			items = append(items, msg.T("repeat.begun", began))
		} else {
			items = append(items, msg.T("repeat.ended", began, m.Ended.UTC().Format("15:04:05 MST")))
		}
	}
	for _, b := range bytesOf(m) {
		items = append(items, b.item())
	}
	if m.Work != "" {
		items = append(items, msg.T("repeat.work", m.Work))
	}
	p.Messages(append(items, msg.T("repeat.values"), msg.T("repeat.report"))...)
}

// digested is a thing that ran, by its digest.
type digested struct {
	name msg.Message
	results.Digested
}

// bytesOf lists which bytes ran.
func bytesOf(m results.Manifest) (out []digested) {
	for _, d := range []digested{{msg.T("image"), m.Image}, {msg.T("workload"), m.Workload}, {msg.T("guest-kernel"), m.Kernel}} {
		if d.Digested != (results.Digested{}) {
			out = append(out, d)
		}
	}
	return out
}

// item is a digest with its size, if that is known.
func (d digested) item() msg.Message {
	if d.Size > 0 {
		return msg.T("repeat.bytes-size", d.name, d.Name, d.Digest, msg.Quantity(float64(d.Size), "B"))
	}
	return msg.T("repeat.bytes", d.name, d.Name, d.Digest)
}

// command is the run's, with the seed that it had, and without --out: where it
// lay is nobody's business, and a folder that exists would be refused.
func command(a *analysis.Analysis) string {
	m := a.Run.Manifest
	if m.Experiment != nil { // which nothing on the command line changes
		return "run -f " + results.ExperimentFile
	}
	var words []string
	seeded := false
	for i, w := range m.Command {
		if w == "--out" || strings.HasPrefix(w, "--out=") || i > 0 && m.Command[i-1] == "--out" {
			continue
		}
		seeded = seeded || w == "--seed" || strings.HasPrefix(w, "--seed=")
		if w == "" || strings.ContainsAny(w, " \t\n'\"\\$&|;<>*?`(){}[]#~!") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words = append(words, w)
	}
	if !seeded {
		words = append(words, "--seed", strconv.FormatUint(m.Seed, 10))
	}
	return strings.Join(words, " ")
}
