package analysis

import (
	"fmt"
	"strings"

	"lab/bench/stats"
	"lab/reports/msg"
)

// Here ends every conclusion.
const Here = "on this machine"

// NeedsMore says that no outcome would have been a verdict, and what it takes.
func NeedsMore(iv stats.Interval) string {
	return fmt.Sprintf("%s can't tell: %d would", msg.Plural(iv.N, "trial"), iv.Needs)
}

// NotRun says why a cell has no trial, and what helps.
func NotRun(c *Cell) string {
	s := "not run: " + c.NotRun.Reason
	if c.NotRun.Cure != "" {
		s += "; fix: " + c.NotRun.Cure
	}
	return s
}

// BecauseTCG says why the run's guests were emulated, from "because" on.
func (a *Analysis) BecauseTCG() string {
	reason := strings.TrimRight(strings.TrimSpace(a.Run.Machine.Acceleration.Reason), ".")
	switch {
	case a.Run.Manifest.Accel == "tcg":
		return "because --accel tcg asked for it"
	case reason == "":
		return "for a reason that wasn't recorded"
	}
	return "because " + msg.Lower(reason)
}

// TCGStart is what an emulated guest shows of a start.
const TCGStart = "what a VM start consists of"

// TCGShows is what an emulated guest is good for.
func (a *Analysis) TCGShows() string {
	for _, f := range a.Run.Manifest.Figures {
		if f.Kind == KindPhases {
			return TCGStart
		}
	}
	if len(a.Run.Manifest.Figures) == 0 {
		return TCGStart
	}
	return "what emulation costs"
}

// Banners are what stands on top of every report of the run, most important
// first.
func (a *Analysis) Banners() []string {
	var out []string
	m := a.Run.Manifest
	switch m.Outcome {
	case "interrupted":
		out = append(out, fmt.Sprintf("This run was interrupted: it has %d of %d planned trials. What was measured until then is shown.", a.done(), a.planned()))
	case "nothing":
		out = append(out, "Nothing could be run. Each row says why, and what helps.")
	case "":
		out = append(out, fmt.Sprintf("This run has no end: it is still going on, or was killed. It has %d of %d planned trials.", a.done(), a.planned()))
	}
	if a.Run.Machine.Emulated {
		out = append(out, "The machine that this ran on was itself emulated in software (QEMU's TCG). That everything works can be seen here, and not how fast anything is.")
	}
	if a.AnyTCG() {
		out = append(out, "This VM was emulated in software (TCG) "+a.BecauseTCG()+". It shows "+a.TCGShows()+", not how fast VMs are.")
	}
	if m.Quick {
		out = append(out, "A quick first look (--quick): too few trials to quote.")
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
