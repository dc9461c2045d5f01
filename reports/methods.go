package reports

import (
	"fmt"
	"strconv"
	"strings"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

// methods is methods.md: what was done, in the prose of a paper's section,
// made from the manifest and the machine's facts alone.
func methods(a *analysis.Analysis) *page.Page {
	p := &page.Page{}
	m := a.Run.Manifest
	p.Title(msg.T("methods.title"))
	p.Text(msg.T("methods.made-by", m.Lab, m.ID))
	p.Section(msg.T("methods.question"))
	p.Text(page.Lines{m.Question, m.Method})
	method(p, a)
	p.Section(msg.T("methods.machine"))
	p.Text(machineSentence(a.Run.Machine))
	p.Section(msg.T("methods.deviations"))
	p.Messages(append(analysis.NotesOf(&m), a.Doubts()...)...)
	selfCheck(p, a)
	return p
}

// method says what was measured of what, in which order, and what was computed.
func method(p *page.Page, a *analysis.Analysis) {
	m := a.Run.Manifest
	for _, x := range a.Metrics {
		if help := a.Help(x); !help.IsZero() {
			p.Text(msg.T("methods.metric", x.Title, unitName(x), help))
		}
	}
	p.Section(msg.T("methods.configurations"))
	for _, c := range a.Cells {
		p.Text(configuration(c))
	}
	var ran []msg.Message
	for _, b := range bytesOf(m) {
		ran = append(ran, msg.T("methods.bytes-of", b.name, b.Name, b.Digest))
	}
	if ran != nil {
		p.Text(msg.T("methods.bytes", msg.Join("join.comma", ran...)))
	}
	p.Section(msg.T("methods.design"))
	p.Text(design(a))
	p.Section(msg.T("methods.analysis"))
	p.Text(msg.T("methods.median"))
	if m.Paired != nil {
		p.Text(msg.T("methods.pairs"))
	} else {
		p.Text(msg.T("methods.differences"))
	}
	var sizes []msg.Message
	for _, k := range a.FamilySizes() {
		sizes = append(sizes, msg.Verbatim(strconv.Itoa(k)))
	}
	if sizes == nil {
		p.Text(msg.T("methods.family"))
	} else {
		p.Text(msg.T("methods.family-of", msg.Join("join.comma", sizes...)))
	}
	if n := len(m.Findings); n > 0 {
		p.Text(msg.T("methods.findings", msg.T("statements", n)))
	}
	if a.AnyTCG() {
		p.Text(msg.T("methods.tcg", a.BecauseTCG()))
	}
}

var units = map[string]string{"s": "unit.seconds", "B": "unit.bytes", "1": "unit.none", "": "unit.none"}

func unitName(m results.Metric) msg.Message {
	if id, ok := units[m.Unit]; ok {
		return msg.T(id)
	}
	return msg.Verbatim(m.Unit)
}

// configuration is what was done in a row before the clock, and what is in its
// figures.
func configuration(c *analysis.Cell) msg.Message {
	if c.NotRun != nil {
		return msg.T("methods.not-run", c.Name, analysis.NotRun(c))
	}
	parts := []msg.Message{msg.T("methods.trials", c.Name, msg.T("trials", c.Counted()), msg.T("warmups", c.Warmups()))}
	if n := c.Failures(); n > 0 {
		parts[0] = msg.T("join.comma", parts[0], msg.T("methods.failed", msg.T("trials", n)))
	}
	add := func(id string, list []string) {
		if len(list) > 0 {
			parts = append(parts, msg.T(id, msg.Join("join.comma", msg.All(list)...)))
		}
	}
	add("methods.before", c.Prepare)
	add("methods.on", c.Start)
	add("methods.settings", msg.Pairs(c.Settings))
	add("methods.found", msg.Pairs(c.Found))
	return msg.T("sentence", msg.Join("join.semicolon", parts...))
}

// design says in which order trials were made, and how many.
func design(a *analysis.Analysis) msg.Message {
	m := a.Run.Manifest
	s := []msg.Message{msg.T("design.blocks", strconv.FormatUint(m.Seed, 10))}
	if m.Grouped > 0 {
		s[0] = msg.T("design.grouped", msg.T("trials", m.Grouped))
	}
	if d := m.Paired; d != nil {
		s = append(s, msg.T("design.paired", strings.Join(d.CPUs, " + ")))
		if d.SameCore {
			s = append(s, msg.T("design.same-core"))
		}
	}
	if l := m.Layout; l != nil {
		s = append(s, msg.T("design.layout", l.Env, l.Argv))
	}
	if x := m.Asked; x != nil {
		longest := msg.Quantity(x.MaxTime.Seconds(), "s")
		switch {
		case x.Precision > 0 && m.Paired != nil:
			s = append(s, msg.T("design.precise-pairs", msg.Percent(float64(x.Precision)), longest))
		case x.Precision > 0 && x.MaxTime > 0:
			s = append(s, msg.T("design.precise-within", msg.Percent(float64(x.Precision)), longest))
		case x.Precision > 0:
			s = append(s, msg.T("design.precise", msg.Percent(float64(x.Precision))))
		case x.MaxTime > 0:
			s = append(s, msg.T("design.within", longest))
		}
		if x.Strict {
			s = append(s, msg.T("design.strict"))
		}
	}
	return msg.Join("join.sentences", append(s, limits(a)...)...)
}

// limits are those that the run was asked to set for each instance; nil: none.
func limits(a *analysis.Analysis) (out []msg.Message) {
	x := a.Run.Manifest.Asked
	if x == nil {
		return nil
	}
	if x.CPULimit > 0 {
		out = append(out, msg.T("limit.cpu", fmt.Sprint(x.CPULimit)))
	}
	if x.Memory > 0 {
		out = append(out, msg.T("limit.memory", msg.Quantity(float64(x.Memory), "B")))
	}
	if x.Pids > 0 {
		out = append(out, msg.T("limit.pids", x.Pids))
	}
	if out != nil {
		out = []msg.Message{msg.T("design.limits", msg.Join("join.comma", out...))}
	}
	return out
}
