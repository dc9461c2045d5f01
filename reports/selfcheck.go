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

// selfCheck answers the eight questions that a reviewer has, from the run's own data.
// "Met" is said of what the folder shows, and of nothing else.
//
// Source: A. V. Papadopoulos, L. Versluis, A. Bauer, N. Herbst, J. von Kistowski,
// A. Ali-Eldin, C. L. Abad, J. N. Amaral, P. Tůma, A. Iosup, Methodological principles
// for reproducible performance evaluation in cloud computing, IEEE Transactions on
// Software Engineering 47 (2021) 1528-1543: its eight principles, in its order.
func selfCheck(p *page.Page, a *analysis.Analysis) {
	p.Section(msg.T("check.title"))
	p.Text(msg.T("check.source"))
	t := page.Table{Align: "llll", Head: []page.Text{"", msg.T("check.principle"), msg.T("check.met"), msg.T("check.here")}}
	for i, c := range []func(*analysis.Analysis) (met, answer msg.Message){
		repeated, covered, described, open, distributed, evaluated, inUnits, costs,
	} {
		met, answer := c(a)
		t.Rows = append(t.Rows, []page.Text{i + 1, msg.T(principles[i]), met, answer})
	}
	p.Table(t)
}

var principles = []string{"check.repeated", "check.covered", "check.described", "check.open", "check.distributed", "check.evaluated", "check.units", "check.costs"}

// met is how much of what a principle asks for is there.
func met(have, of int) msg.Message {
	switch {
	case have == 0 || of == 0:
		return msg.T("check.no")
	case have < of:
		return msg.T("check.partly")
	}
	return msg.T("check.yes")
}

// ran are the rows that have trials.
func ran(a *analysis.Analysis) (out []*analysis.Cell) {
	for _, c := range a.Cells {
		if c.Counted() > 0 {
			out = append(out, c)
		}
	}
	return out
}

// firstMetric is the run's first metric, and each row's values of it.
func firstMetric(a *analysis.Analysis) (m results.Metric, samples []*analysis.Sample) {
	if len(a.Metrics) == 0 {
		return m, nil
	}
	for _, c := range a.Cells {
		if s := c.Samples[a.Metrics[0].Name]; s != nil {
			samples = append(samples, s)
		}
	}
	return a.Metrics[0], samples
}

// repeated is the first principle: repetitions, and how sure they make.
func repeated(a *analysis.Analysis) (msg.Message, msg.Message) {
	m, samples := firstMetric(a)
	least, known, widest := 0, 0, 0.0
	for _, c := range ran(a) {
		if n := c.Counted(); least == 0 || n < least {
			least = n
		}
	}
	for _, s := range samples {
		if iv := s.Median; iv.Known() {
			known++
			if iv.Point > 0 {
				widest = max(widest, (iv.Hi-iv.Lo)/2/iv.Point)
			}
		}
	}
	sessions := 1
	if x := a.Run.Manifest.Asked; x != nil {
		sessions = x.Times()
	}
	out := []msg.Message{msg.T("check.trials", msg.T("trials", least), msg.T("check.sessions", sessions)), msg.T("check.intervals", known, len(samples), m.Title)}
	switch {
	case len(samples) == 0:
		return met(0, 0), msg.T("check.nothing")
	case widest > 0:
		out = append(out, msg.T("check.widest", msg.Percent(widest)))
	}
	return met(known, len(samples)), msg.Join("join.semicolon", out...)
}

// covered is the second: workloads and configurations, and that what is of no interest
// (the order, what lies in memory where) was varied too.
func covered(a *analysis.Analysis) (msg.Message, msg.Message) {
	m := a.Run.Manifest
	out := []msg.Message{msg.T("check.configurations", len(ran(a)), len(a.Cells), msg.T("metrics", len(a.Metrics)+len(a.Answers)))}
	have := len(ran(a))
	switch {
	case m.Grouped > 0:
		out = append(out, msg.T("check.not-shuffled"))
		have = min(have, len(a.Cells)-1)
	default:
		out = append(out, msg.T("check.shuffled"))
	}
	if m.Layout == nil {
		out = append(out, msg.T("check.one-layout"))
	} else {
		text := msg.T("check.layout", m.Layout.Env, m.Layout.Argv)
		x, samples := firstMetric(a)
		switch moved, tried := a.MovedByLayout(x.Name); {
		case tried == 0:
			text = msg.Join("join.comma", text, msg.T("check.layout-few", stats.MinTrend))
		case len(moved) > 0:
			text = msg.Join("join.comma", text, msg.T("check.layout-moves", x.Title, msg.And(moved...)))
		case len(samples) > 0:
			text = msg.Join("join.comma", text, msg.T("check.layout-still", x.Title, tried))
		}
		out = append(out, text)
	}
	// One configuration covers no others, however well it ran.
	return met(have, max(len(a.Cells), 2)), msg.Join("join.semicolon", out...)
}

// described is the third: the set-up, so that others can make it.
func described(a *analysis.Analysis) (msg.Message, msg.Message) {
	k, m := a.Run.Machine, a.Run.Manifest
	var there, lacks []msg.Message
	for _, x := range []struct {
		id string
		is bool
	}{
		{"check.kernel", k.Kernel != ""}, {"check.processor", k.CPU != ""}, {"image", m.Image.Digest != ""}, {"workload", m.Workload.Digest != ""},
		{"check.settings", !slices.ContainsFunc(ran(a), func(c *analysis.Cell) bool { return c.Settings == nil })}, {"check.seed", m.Asked != nil},
	} {
		if x.is {
			there = append(there, msg.T(x.id))
		} else {
			lacks = append(lacks, msg.T(x.id))
		}
	}
	out := []msg.Message{msg.T("check.recorded", msg.And(there...))}
	if there == nil {
		out = nil
	}
	if lacks != nil {
		out = append(out, msg.T("check.lacks", msg.And(lacks...)))
	}
	return met(len(there), len(there)+len(lacks)), msg.Join("join.semicolon", out...)
}

// open is the fourth: the artifact. Whether it was published no folder knows.
func open(a *analysis.Analysis) (msg.Message, msg.Message) {
	out := []msg.Message{msg.T("check.values", len(a.Run.Lines))}
	have := 2 // the values and what draws them; the bytes that ran
	if a.Run.Changed != nil {
		out = append(out, msg.T("check.changed", msg.Join("join.comma", msg.All(a.Run.Changed)...)))
		return met(1, 3), msg.Join("join.semicolon", out...)
	}
	if m := a.Run.Manifest; m.Image.Digest == "" || m.Workload.Digest == "" {
		have = 1
	}
	out = append(out, msg.T("check.publish"))
	return met(have, 3), msg.Join("join.semicolon", out...)
}

// distributed is the fifth: results as distributions, not as one number.
func distributed(a *analysis.Analysis) (msg.Message, msg.Message) {
	all, known, grouped := 0, 0, 0
	for _, m := range a.Metrics {
		if m.Certain() {
			continue // there is nothing that varies
		}
		for _, c := range a.Cells {
			if s := c.Samples[m.Name]; s != nil {
				all++
				if s.Median.Known() {
					known++
				}
				if s.Grouped() {
					grouped++
				}
			}
		}
	}
	out := msg.T("check.medians", known, all)
	if grouped > 0 {
		out = msg.Join("join.semicolon", out, msg.T("check.grouped", grouped))
	}
	if all == 0 && len(a.Answers) > 0 {
		return met(1, 1), msg.T("check.answers")
	}
	return met(known, all), out
}

// evaluated is the sixth: tests, and what they can tell.
func evaluated(a *analysis.Analysis) (msg.Message, msg.Message) {
	tell, differ := 0, 0
	for _, p := range a.Pairs {
		if k := a.Versus(p.Row, p.To, p.Metric); k != nil && k.Difference.Known() {
			tell++
			if k.Differs() {
				differ++
			}
		}
	}
	if len(a.Pairs) == 0 {
		if len(a.Answers) > 0 {
			return met(1, 1), msg.T("check.answers")
		}
		return met(0, 0), msg.T("check.nothing-compared")
	}
	out := msg.T("check.compared", len(a.Pairs), tell, differ)
	if n := len(a.Verdicts); n > 0 {
		out = msg.Join("join.semicolon", out, msg.T("check.beforehand", msg.T("statements", n)))
	}
	return met(tell, len(a.Pairs)), out
}

// inUnits is the seventh.
func inUnits(a *analysis.Analysis) (msg.Message, msg.Message) {
	var units []string
	have := 0
	all := slices.Concat(a.Metrics, a.Answers)
	for _, m := range all {
		if m.Unit != "" {
			have++
			if !slices.Contains(units, m.Unit) {
				units = append(units, m.Unit)
			}
		}
	}
	if have == 0 {
		return met(0, 0), msg.T("check.nothing")
	}
	return met(have, len(all)), msg.T("check.in-units", have, len(all), strings.Join(units, ", "))
}

// costs is the eighth. What a machine's time costs the lab doesn't know.
func costs(a *analysis.Analysis) (msg.Message, msg.Message) {
	m := a.Run.Manifest
	made := 0
	for _, c := range a.Cells {
		made += len(c.Made)
	}
	if m.Started.IsZero() || !m.Ended.After(m.Started) || made == 0 {
		return met(0, 0), msg.T("check.no-time")
	}
	return met(1, 2), msg.T("check.took", minutesOf(m.Ended.Sub(m.Started).Seconds()), msg.T("trials", made))
}
