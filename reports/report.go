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
// what the run shows, and ends with how to repeat it. What only some ask for is in
// files of its own: tables.md, methods.md, machine.md.
func report(a *analysis.Analysis) *page.Page {
	p := &page.Page{}
	m := a.Run.Manifest
	title := msg.T("title", msg.Name(m.Scenario))
	if m.Question != "" {
		title = msg.T("join.colon", msg.Name(m.Scenario), m.Question)
	}
	p.Title(title)
	for _, b := range a.Banners() {
		p.Banner(b)
	}
	opening(p, a)
	guessed(p, a, true)
	figures(p, a)
	slopes(p, a)
	sessions(p, a)
	notRun(p, a)
	p.Section(msg.T("report.doubts"))
	p.Messages(a.Doubts()...)
	p.Section(msg.T("report.more"))
	p.Messages(msg.T("report.see-tables"), msg.T("report.see-methods"), msg.T("report.see-machine"))
	repeat(p, a)
	return p
}

func opening(p *page.Page, a *analysis.Analysis) {
	p.Section(msg.T("report.shows"))
	p.Text(msg.T("report.here"))
	if said := sentences(a); len(said) > veryMany {
		p.Messages(answer(a)[0])
	} else {
		p.Messages(said...)
	}
	verdicts(p, a)
	notes := limits(a)
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

// figures are the plots, each with the medians that it shows: of a metric once, in
// the first figure that has it. The first metric's are in the opening sentences, unless
// these are very many, and of those that no figure shows in tables.md.
func figures(p *page.Page, a *analysis.Analysis) {
	said := map[string]bool{}
	if len(a.Metrics) > 0 && len(sentences(a)) <= veryMany {
		said[a.Metrics[0].Name] = true
	}
	how := msg.T("figure.medians", a.BaseName())
	for _, f := range a.Run.Manifest.Figures {
		if why := plot.Undrawable(a, f); !why.IsZero() {
			p.Text(msg.T("figure.not-drawn", why))
			continue
		}
		p.Picture(f.Name, f.Title, f.Caption)
		var list []results.Metric
		for _, m := range a.Metrics {
			if slices.Contains(f.Metrics, m.Name) && !said[m.Name] {
				list, said[m.Name] = append(list, m), true
			}
		}
		if list == nil {
			continue
		}
		p.Table(mediansTable(a, list))
		if !how.IsZero() {
			p.Text(how)
			how = msg.Message{}
		}
	}
}

// slopes is the table of what one more instance costs.
func slopes(p *page.Page, a *analysis.Analysis) {
	for i, m := range a.SlopesShown() {
		p.Section(msg.T("slopes.title", m.Title))
		if i == 0 {
			p.Text(msg.T("slopes.how"))
		}
		all := a.Series(m.Name)
		base := slices.IndexFunc(all, func(s *analysis.Series) bool {
			return len(s.Cells) > 0 && (s.Label == analysis.Baseline || a.FirstIsBase && !s.TCG)
		})
		var slopes, differences []float64
		for _, s := range all {
			if l, err := s.Line(m.Name, nil, a.Run.Manifest.Seed); err == nil {
				slopes = append(slopes, l.Slope.Point)
			}
			if base >= 0 && s != all[base] && !s.TCG {
				if l, err := s.Line(m.Name, all[base], a.Run.Manifest.Seed); err == nil {
					differences = append(differences, widest(l.Slope))
				}
			}
		}
		each, less := msg.ScaleOf(slopes, m.Unit), msg.ScaleOf(differences, m.Unit)
		t := page.Table{Head: []page.Text{msg.T("head.environment"), msg.T("head.instances"), each.Head(msg.T("head.each")), msg.T("head.interval", "95 %"),
			less.Head(msg.T("head.less", a.BaseName())), msg.T("head.interval", "95 %")}}
		for i, s := range all {
			row := []page.Text{s.Name(), s.Counts(), nil, nil, nil, nil}
			fill := func(at int, minus *analysis.Series, u msg.Scale) bool {
				l, err := s.Line(m.Name, minus, a.Run.Manifest.Seed)
				if err != nil {
					return false
				}
				row[at], row[at+1] = u.SignedIn(l.Slope.Point), analysis.SpanOf(l.Slope, u)
				return true
			}
			switch {
			case len(s.Cells) == 0:
				row[1] = s.Why
			case !fill(2, nil, each):
				row[2] = msg.T("cell.no-slope")
			}
			switch {
			case i == base:
				row[4] = msg.T("cell.baseline")
			case s.TCG:
				row[4] = msg.T("cell.not-compared")
			case base >= 0:
				fill(4, all[base], less)
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

// verdicts are what people say, and what became of it: those that can't be measured
// here by their reasons. The thresholds are in tables.md.
func verdicts(p *page.Page, a *analysis.Analysis) {
	if len(a.Verdicts) == 0 {
		return
	}
	p.Text(msg.T("report.people-say"))
	var items, reasons []msg.Message
	unmeasured := map[string][]msg.Message{}
	for _, v := range a.Verdicts {
		if v.Outcome != analysis.Unmeasured {
			items = append(items, msg.T("verdicts.item", judgement(v), v.Finding.Statement, msg.T("sentence", v.Said)))
			continue
		}
		key := msg.English().Text(v.Why())
		if unmeasured[key] == nil {
			reasons = append(reasons, v.Why())
		}
		unmeasured[key] = append(unmeasured[key], msg.T("verdicts.statement", v.Finding.Statement))
	}
	for _, r := range reasons {
		items = append(items, msg.T("verdicts.unmeasured", r, msg.Join("join.sentences", unmeasured[msg.English().Text(r)]...)))
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
	for _, d := range []digested{{msg.T("image"), m.Image}, {msg.T("workload"), m.Workload}} {
		if d.Digested != (results.Digested{}) {
			out = append(out, d)
		}
	}
	for _, k := range m.Kernels() {
		out = append(out, digested{msg.T("guest-kernel"), k})
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
	seed := []string{"--seed", strconv.FormatUint(m.Seed, 10)}
	for i, w := range m.Command {
		if w == "--" { // what follows is the program's
			words, seed = append(words, seed...), nil
		}
		if w == "--out" || strings.HasPrefix(w, "--out=") || i > 0 && m.Command[i-1] == "--out" {
			continue
		}
		if w == "--seed" || strings.HasPrefix(w, "--seed=") {
			seed = nil
		}
		if w == "" || strings.ContainsAny(w, " \t\n'\"\\$&|;<>*?`(){}[]#~!") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words = append(words, w)
	}
	return strings.Join(append(words, seed...), " ")
}
