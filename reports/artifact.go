package reports

import (
	"slices"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

// ArtifactFile is what a paper's reviewers read: what is needed, how long it
// takes, what is to be expected and how closely, how to check, how to repeat.
const ArtifactFile = "ARTIFACT.md"

// artifact makes it from the folder alone: every time in it was measured in
// this run.
func artifact(a *analysis.Analysis) *page.Page {
	p := &page.Page{}
	m := a.Run.Manifest
	p.Title(msg.T("artifact.title", msg.Name(m.Scenario)))
	p.Text(m.Question)
	p.Text(msg.T("artifact.holds", m.ID, m.Lab))
	for _, b := range a.Banners() {
		p.Banner(b)
	}
	needed(p, a)
	minutes(p, a)
	expected(p, a)
	p.Section(msg.T("artifact.check"))
	p.Code("lab check DIR                 # whole, and as it was written (also: sha256sum -c SHA256SUMS)",
		"cp DIR/SHA256SUMS before",
		"lab report DIR                # computes and draws all again from what was measured",
		"cmp before DIR/SHA256SUMS     # the same lab gives the same bytes")
	p.Text(msg.T("artifact.files"))
	repeating(p, a)
	return p
}

// needed says what it takes, and what it was made with.
func needed(p *page.Page, a *analysis.Analysis) {
	k := a.Run.Machine
	p.Section(msg.T("artifact.needed"))
	items := []msg.Message{msg.T("artifact.to-read")}
	var envs []string
	guests, accelerated := false, false
	for _, c := range a.Cells {
		if c.NotRun == nil && !slices.Contains(envs, c.Env) {
			envs = append(envs, c.Env)
		}
		if accel := c.Settings["accel"]; c.NotRun == nil && accel != "" { // a virtual machine
			guests = true
			accelerated = accelerated || !c.TCG
		}
	}
	if envs != nil {
		items = append(items, msg.T("artifact.to-repeat", strings.Join(envs, ", ")))
	}
	switch {
	case accelerated:
		items = append(items, msg.T("artifact.kvm"))
	case guests:
		items = append(items, msg.T("artifact.tcg"))
	}
	if k.Kernel != "" {
		items = append(items, msg.T("artifact.made-on", machineSentence(k)))
	}
	p.Messages(items...)
}

// minutes says how long each figure's trials took, and the whole.
func minutes(p *page.Page, a *analysis.Analysis) {
	m := a.Run.Manifest
	spent := a.Run.Spent()
	p.Section(msg.T("artifact.time"))
	t := page.Table{Align: "ll", Head: []page.Text{msg.T("head.figure"), msg.T("head.rows"), msg.T("head.all-trials"), msg.T("head.time")}}
	for _, f := range m.Figures {
		var labels []string
		trials, seconds := 0, 0.0
		for _, c := range a.Cells {
			if !slices.ContainsFunc(f.Metrics, func(name string) bool { return c.Samples[name] != nil }) {
				continue
			}
			s := spent[c.Cell.Label()]
			labels = append(labels, c.Cell.Label())
			trials += len(c.Made)
			if len(s) > 0 { // the last trial's end isn't known: it took what the others did
				seconds += stats.Median(s) * float64(len(c.Made)-len(s))
			}
			for _, v := range s {
				seconds += v
			}
		}
		if trials == 0 {
			continue
		}
		took := msg.T("cell.unknown")
		if seconds > 0 {
			took = msg.Verbatim(minutesOf(seconds))
		}
		t.Rows = append(t.Rows, []page.Text{msg.T("artifact.figure", f.Title, f.Name), strings.Join(labels, ", "), trials, took})
	}
	p.Table(t)
	text := msg.T("artifact.measured")
	if !m.Started.IsZero() && m.Ended.After(m.Started) {
		id := "artifact.all"
		if len(m.Resumed) > 0 {
			id = "artifact.all-paused"
		}
		text = msg.T("join.sentences", text, msg.T(id, minutesOf(m.Ended.Sub(m.Started).Seconds())))
	}
	p.Text(text)
}

// minutesOf writes a time as people plan with it.
func minutesOf(s float64) string {
	if s >= 90 {
		return msg.Number(s/60, 2) + " min"
	}
	return msg.Quantity(s, "s")
}

// expected says what a repetition should give, and how closely.
func expected(p *page.Page, a *analysis.Analysis) {
	p.Section(msg.T("artifact.expected"))
	if len(a.Verdicts) > 0 {
		p.Text(msg.T("artifact.outcomes"))
		var items []msg.Message
		for _, v := range a.Verdicts {
			items = append(items, msg.T("artifact.outcome", v.Finding.Statement, v.Cell, analysis.Beside(msg.T("bold", analysis.OutcomeText(v.Outcome)), v.Caveat)))
		}
		p.Messages(items...)
	}
	if len(a.Metrics) > 0 {
		tolerance := msg.Percent(analysis.Tolerance)
		p.Text(msg.T("artifact.tolerance", tolerance))
		t := page.Table{Align: "ll", Head: []page.Text{msg.T("head.row"), msg.T("head.metric"), msg.T("head.trials"), msg.T("head.median"), msg.T("head.interval", "95 %"), msg.T("head.tolerated")}}
		for _, c := range a.Cells {
			for _, m := range a.Metrics {
				s := c.Samples[m.Name]
				if s == nil {
					continue
				}
				u := msg.ScaleFor(s.Median.Point, m.Unit)
				t.Rows = append(t.Rows, []page.Text{c.Name, m.Name, len(s.Values), u.With(s.Median.Point),
					analysis.SpanOf(s.Median, u), u.Join(u.Span(s.Median.Point*(1-analysis.Tolerance), s.Median.Point*(1+analysis.Tolerance)))})
			}
		}
		p.Table(t)
	}
	var items []msg.Message
	for _, c := range a.Cells {
		if c.NotRun != nil {
			items = append(items, msg.T("was", c.Name, analysis.NotRun(c)))
		}
	}
	p.Messages(append(items, a.Doubts()...)...)
}

func repeating(p *page.Page, a *analysis.Analysis) {
	m := a.Run.Manifest
	p.Section(msg.T("repeat.title"))
	var lines []string
	if m.Asked != nil {
		lines = append(lines, "sudo lab reproduce DIR        # repeat it, with a verdict for each statement")
	}
	if len(m.Command) > 0 {
		lines = append(lines, "sudo lab "+command(a))
	}
	if lines != nil {
		p.Code(lines...)
	}
	if m.Experiment != nil {
		p.Text(msg.T("artifact.experiment", results.ExperimentFile, m.Experiment.Name, m.Experiment.Digest))
	}
	var items []msg.Message
	for _, d := range bytesOf(m) {
		items = append(items, msg.T("artifact.bytes-of", d.name, d.Name, d.Digest))
	}
	if items != nil {
		p.Text(msg.T("artifact.bytes"))
		p.Messages(items...)
	}
}
