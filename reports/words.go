package reports

import (
	"fmt"
	"strings"

	"lab/bench/stats"
)

// here ends every conclusion.
const here = "on this machine"

// cantTell says that no outcome would have been a verdict, and what it takes.
func cantTell(iv stats.Interval) string {
	return fmt.Sprintf("%s can't tell: %d would", plural(iv.N, "trial"), iv.Needs)
}

// notRun says why a cell has no trial, and what helps.
func notRun(c *cell) string {
	s := "not run: " + c.NotRun.Reason
	if c.NotRun.Cure != "" {
		s += "; fix: " + c.NotRun.Cure
	}
	return s
}

// becauseTCG says why the run's guests were emulated, from "because" on.
func (a *analysis) becauseTCG() string {
	reason := strings.TrimRight(strings.TrimSpace(a.run.Machine.Acceleration.Reason), ".")
	switch {
	case a.run.Manifest.Accel == "tcg":
		return "because --accel tcg asked for it"
	case reason == "":
		return "for a reason that wasn't recorded"
	}
	return "because " + lower(reason)
}

// tcgStart is what an emulated guest shows of a start.
const tcgStart = "what a VM start consists of"

// tcgShows is what an emulated guest is good for.
func (a *analysis) tcgShows() string {
	for _, f := range a.run.Manifest.Figures {
		if f.Kind == kindPhases {
			return tcgStart
		}
	}
	if len(a.run.Manifest.Figures) == 0 {
		return tcgStart
	}
	return "what emulation costs"
}

// banners are what stands on top of every report of the run, most important
// first.
func (a *analysis) banners() []string {
	var out []string
	m := a.run.Manifest
	switch m.Outcome {
	case "interrupted":
		out = append(out, fmt.Sprintf("This run was interrupted: it has %d of %d planned trials. What was measured until then is shown.", a.done(), a.planned()))
	case "nothing":
		out = append(out, "Nothing could be run. Each row says why, and what helps.")
	case "":
		out = append(out, fmt.Sprintf("This run has no end: it is still going on, or was killed. It has %d of %d planned trials.", a.done(), a.planned()))
	}
	if a.run.Machine.Emulated {
		out = append(out, "The machine that this ran on was itself emulated in software (QEMU's TCG). That everything works can be seen here, and not how fast anything is.")
	}
	if a.anyTCG() {
		out = append(out, "This VM was emulated in software (TCG) "+a.becauseTCG()+". It shows "+a.tcgShows()+", not how fast VMs are.")
	}
	if m.Quick {
		out = append(out, "A quick first look (--quick): too few trials to quote.")
	}
	return out
}

func (a *analysis) planned() int {
	n := 0
	for _, c := range a.run.Manifest.Cells {
		if c.NotRun == nil {
			n += c.Trials
		}
	}
	if x := a.run.Manifest.Asked; x != nil && x.Sessions > 1 {
		n *= x.Sessions
	}
	return n
}

func (a *analysis) done() int {
	n := 0
	for _, c := range a.cells {
		n += c.counted() + c.failures()
	}
	return n
}
