package analysis

import (
	"slices"

	"lab/bench/stats"
	"lab/reports/msg"
)

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
