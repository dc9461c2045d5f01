package analysis

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/msg"
)

// Doubts are what a reader must know before quoting a number: failures,
// disturbances, drifts, samples too small, trials lost.
func (a *Analysis) Doubts() []msg.Message { return a.Caveats(true) }

// Caveats are those that speak against a figure, and if quiet is given that nothing
// was disturbed.
func (a *Analysis) Caveats(quiet bool) []msg.Message {
	var out []msg.Message
	var doubts msg.Gathered // of rows
	add := func(id string, args ...any) { out = append(out, msg.T(id, args...)) }
	taints := map[string]int{}
	disturbed, counted := 0, 0
	for _, c := range a.Cells {
		if n := c.Failures(); n > 0 {
			add("doubt.failed", c.Name, n, msg.T("trials", n+c.Counted()), msg.Shortened(c.lastError()))
		}
		counted += c.Counted()
		disturbed += c.Disturbed()
		for _, t := range c.Made {
			if t.Counts() {
				for _, name := range t.Taint {
					taints[name]++
				}
			}
		}
	}
	if bounds := BoundsOf(a.Run.Machine); !bounds.IsZero() {
		add("doubt.bounds", bounds)
	}
	if k := a.Run.Machine; len(k.Inherited) > 0 {
		add("doubt.inherited", msg.Join("join.comma", msg.All(msg.Pairs(k.Inherited))...))
	}
	if w := a.Run.Manifest.Work; w == "tmpfs" || w == "ramfs" {
		add("doubt.ram", w)
	}
	if disturbed > 0 {
		var kinds []msg.Message
		for _, name := range slices.Sorted(maps.Keys(taints)) {
			kinds = append(kinds, msg.Message{Args: []any{name, taints[name]}})
		}
		add("doubt.disturbed", disturbedOf(disturbed, counted), msg.Join("join.comma", kinds...))
	} else if quiet && counted > 0 {
		add("doubt.quiet", msg.T("trials", counted))
	}
	var parts []msg.Message
	var shares []float64
	for _, c := range a.Cells {
		if len(a.Metrics) > 0 {
			if s := c.sessionDoubt(a.Metrics[0].Name, a.Metrics[0].Title); !s.IsZero() {
				out = append(out, s)
			}
		}
		a.doubtsOf(c, &doubts)
		if b := a.Breakdown(c, a.wholeOf(c)); b != nil && b.Apart() {
			parts, shares = append(parts, msg.T("doubt.parts", c.Name, msg.Percent(b.Sum/b.Whole))), append(shares, b.Sum/b.Whole)
		}
	}
	if n := len(parts); n > many {
		add("doubt.parts.many", msg.T("rows", n), msg.Percent(slices.Min(shares)), msg.Percent(slices.Max(shares)))
	} else {
		out = append(out, parts...)
	}
	for d, rows := range doubts.All() {
		who := msg.Join("join.semicolon", rows...)
		if n := len(rows); n > many {
			who = msg.T("rows", n)
		}
		out = append(out, msg.T("doubt.of", who, d))
	}
	out = append(out, a.absent()...)
	if n := a.Run.Dropped; n > 0 {
		add("doubt.dropped", n)
	}
	return out
}

// manyPids is more than any run needs: systemd limits every service and session to
// some such number.
const manyPids = 1000

// BoundsOf lists the limits that bound the whole lab.
func BoundsOf(k results.Machine) msg.Message {
	var out []msg.Message
	for _, b := range k.Limits {
		if b.What == "pids" && b.Value > manyPids {
			continue
		}
		x := msg.Message{Args: []any{b.What, msg.OneLine(b.Text)}}
		if b.Above > 0 {
			x = msg.T("bounds.above", x, msg.T("cgroups", b.Above))
		}
		if b.Copied {
			x = msg.T("bounds.copied", x)
		}
		out = append(out, x)
	}
	return msg.Join("join.semicolon", out...)
}

// many rows or metrics are counted, and fewer named.
const many = 3

// doubtsOf gathers those about a cell's metrics. One that several share is said once.
func (a *Analysis) doubtsOf(c *Cell, doubts *msg.Gathered) {
	var about msg.Gathered
	for _, m := range a.Metrics {
		if s := c.Samples[m.Name]; s != nil {
			for _, d := range s.Doubts {
				about.Add(d, msg.T("doubt.absent-metric", m.Title))
			}
		}
	}
	for d, titles := range about.All() {
		of := msg.Join("join.comma", titles...)
		if n := len(titles); n > many {
			of = msg.T("metrics", n)
		}
		doubts.Add(msg.T("doubt.about", of, d), c.Name)
	}
}

// MovedByLayout names the rows whose values of a metric rise or fall with the size of
// their programs' environment and arguments, and how many were tried: those with enough
// trials.
func (a *Analysis) MovedByLayout(metric string) (rows []msg.Message, tried int) {
	for _, c := range a.Cells {
		var of []Trial
		for _, t := range c.Made {
			if _, ok := t.Values[metric]; ok && t.Counts() {
				of = append(of, t)
			}
		}
		if len(of) < stats.MinTrend {
			continue
		}
		slices.SortStableFunc(of, func(x, y Trial) int { return x.layout - y.layout })
		var values []float64
		for _, t := range of {
			values = append(values, t.Values[metric])
		}
		tried++
		if trend, err := stats.MannKendall(values); err == nil && trend.Drifts() {
			rows = append(rows, msg.T("check.tau", c.Name, msg.Number(trend.Tau, 2)))
		}
	}
	return rows, tried
}

// wholeOf is the metric that a cell's phases belong to, or "".
func (a *Analysis) wholeOf(c *Cell) string {
	for _, m := range a.Metrics {
		for _, t := range c.Made {
			if len(t.parts[m.Name]) > 0 {
				return m.Name
			}
		}
	}
	return ""
}

// mostly is the share of disturbed trials from above which a verdict says so
// beside itself: a reader who takes nothing else along has to take this.
const mostly = 0.5

// caveat says what a verdict may not be quoted without: that most of the trials of
// a row that it rests on were disturbed, that they come in two groups, or that the
// machine was itself emulated (its KVM is real, and rests on emulated hardware); or
// nothing.
func caveat(metric string, rests ...*Cell) msg.Message {
	disturbed, all, most := 0, 0, false
	var noisy, unreal msg.Message
	for _, c := range rests {
		n, of := c.disturbedIn(metric)
		disturbed, all = disturbed+n, all+of
		most = most || float64(n) > mostly*float64(of)
		if c.unreal {
			unreal = msg.T("caveat.emulated")
		}
	}
	if most {
		noisy = disturbedOf(disturbed, all)
	}
	return msg.Join("join.semicolon", noisy, GroupsNote(metric, rests...), unreal)
}

// disturbedOf is "14 of 20 trials were disturbed".
func disturbedOf(n, of int) msg.Message { return msg.T("disturbed", n, msg.T("trials", of)) }

// Beside is a verdict's outcome, with its caveat behind it.
func Beside(outcome, caveat msg.Message) msg.Message {
	if caveat.IsZero() {
		return outcome
	}
	return msg.T("caveat.beside", outcome, caveat)
}

// NotesOf is what a run wants said in every report: its own notes, and how it was
// interrupted and resumed.
func NotesOf(m *results.Manifest) []msg.Message {
	out := msg.All(m.Notes)
	for _, r := range m.Resumed {
		id := "note.resumed"
		if r.Cut {
			id = "note.resumed-cut"
		}
		out = append(out, msg.T(id, msg.T("trials", r.Trials), r.At.UTC().Format("2006-01-02 15:04 MST")))
	}
	if m.Died != "" {
		out = append(out, msg.T("note.died", m.Died))
	}
	return out
}

// absent are metrics that no row has a value of, with the reason that trials gave,
// each once: the tables and pictures leave them out.
func (a *Analysis) absent() (out []msg.Message) {
	var why msg.Gathered
	for _, l := range a.Run.Lines {
		if _, ok := a.Metric(l.Metric); ok || l.Value != nil || l.Err != "" || l.Text == "" {
			continue
		}
		m, _ := a.described(l.Metric)
		why.Add(msg.Verbatim(msg.OneLine(l.Text)), msg.T("doubt.absent-metric", cmp.Or(m.Title, l.Metric)))
	}
	for text, titles := range why.All() {
		out = append(out, msg.T("doubt.absent", msg.Join("join.semicolon", titles...), text))
	}
	return out
}

// NeedsMore says that no outcome would have been a verdict, and what it takes.
func NeedsMore(iv stats.Interval) msg.Message {
	return msg.T("trials.need", msg.T("trials", iv.N), iv.Needs)
}

// NotRun says why a cell has no trial, and what helps.
func NotRun(c *Cell) msg.Message {
	if c.NotRun.Cure == "" {
		return msg.T("notrun", c.NotRun.Reason)
	}
	return msg.T("notrun.fix", c.NotRun.Reason, c.NotRun.Cure)
}

// BecauseTCG says why the run's guests were emulated, from "because" on.
func (a *Analysis) BecauseTCG() msg.Message {
	reason := a.Run.Machine.Acceleration.Brief()
	switch {
	case a.Run.Manifest.Accel == "tcg":
		return msg.T("tcg.asked")
	case reason == "":
		return msg.T("tcg.unknown")
	}
	return msg.T("tcg.because", reason)
}

// TCGStart is what an emulated guest shows of a start.
var TCGStart = msg.T("tcg.start")

// TCGShows is what an emulated guest is good for.
func (a *Analysis) TCGShows() msg.Message {
	for _, f := range a.Run.Manifest.Figures {
		if f.Kind == KindPhases {
			return TCGStart
		}
	}
	if len(a.Run.Manifest.Figures) == 0 {
		return TCGStart
	}
	return msg.T("tcg.cost")
}

// Banners are what stands on top of every report of the run, most important
// first.
func (a *Analysis) Banners() []msg.Message { return a.bannersOf(a.Cells) }

// bannersOf are those that rows of the run need.
func (a *Analysis) bannersOf(rows []*Cell) (out []msg.Message) {
	add := func(id string, args ...any) { out = append(out, msg.T(id, args...)) }
	m := a.Run.Manifest
	if changed := a.Run.Changed; changed != nil {
		add("banner.changed", msg.Join("join.comma", msg.All(changed)...))
	}
	switch m.Outcome {
	case "interrupted":
		add("banner.interrupted", a.done(), a.planned())
	case "nothing":
		add("banner.nothing")
	case "":
		add("banner.no-end", a.done(), a.planned())
	}
	if a.Run.Machine.Emulated {
		add("banner.emulated")
	}
	if slices.ContainsFunc(rows, func(c *Cell) bool { return c.TCG }) {
		add("banner.tcg", a.BecauseTCG(), a.TCGShows())
	}
	if d := m.Paired; d != nil {
		add("banner.paired", strings.Join(d.CPUs, " + "))
	}
	if m.Quick {
		add("banner.quick")
	}
	return out
}

func (a *Analysis) planned() int {
	n := 0
	for _, c := range a.Run.Manifest.Cells {
		if c.NotRun == nil {
			n += c.Trials
		}
	}
	if x := a.Run.Manifest.Asked; x != nil && x.Sessions > 1 {
		n *= x.Sessions
	}
	return n
}

func (a *Analysis) done() int {
	n := 0
	for _, c := range a.Cells {
		n += c.Counted() + c.Failures()
	}
	return n
}
