package main

import (
	"fmt"
	"time"
	"unicode/utf8"

	"lab/bench/engine"
	"lab/bench/machine"
	"lab/bench/request"
	"lab/bench/runs"
)

// predict says what a run would be. It runs nothing, and needs no root. How
// long it takes is told from an earlier run on this machine alone: a guest takes
// a hundred times as long on one machine as on another.
func (a *app) predict(f runFlags) error {
	j, err := f.job()
	if err != nil {
		return err
	}
	if err := used(j.Options); err != nil {
		return err
	}
	facts, _ := machine.Facts("")
	before := runs.Earlier(facts.ID, f.out)
	var all []runs.Prediction
	for _, name := range f.Scenarios {
		p := j.Predict(parts, name, before)
		of := *j
		of.Scenario = name
		p.TooFew = tooFew(&of, p.Planned)
		all = append(all, p)
	}
	if f.json {
		return a.printJSON(all)
	}
	unknown := false
	for _, p := range all {
		a.printPrediction(p, &j.Options.Request)
		if p.Seconds == nil {
			unknown = true
		}
	}
	if unknown {
		fmt.Fprint(a.Page, "How long isn't known: no earlier run on this machine in results/ has rows such as those without a time.\nTo measure them, run the same without --predict, with --quick.\n")
	}
	fmt.Fprintln(a.Page, "Nothing was run.")
	return nil
}

func (a *app) printPrediction(p runs.Prediction, x *request.Request) {
	sessions := ""
	if p.Sessions > 1 {
		sessions = fmt.Sprintf(", in %d sessions", p.Sessions)
	}
	fmt.Fprintf(a.Page, "%s: %s%s\n", p.Scenario, withWarmup(p.Trials, p.Warmup), sessions)
	width := 24
	for _, c := range p.Cells {
		width = max(width, utf8.RuneCountInString(c.Cell))
	}
	for _, c := range p.Cells {
		text := fmt.Sprintf("  %-*s %4d", width, c.Cell, c.Trials)
		if c.Warmup > 0 {
			text += fmt.Sprintf(" + %d", c.Warmup)
		}
		if c.Seconds != nil {
			text += ", " + briefly(time.Duration(*c.Seconds*float64(time.Second))) + " each, as "
			if c.Like != "" {
				text += c.Like + " "
			}
			text += "in " + c.From
		}
		fmt.Fprintln(a.Page, text)
	}
	switch {
	case p.Seconds == nil:
	case p.Sessions > 1:
		fmt.Fprintf(a.Page, "  about %s, and some seconds for each session's set-up, and for the report\n", minutes(*p.Seconds))
	default:
		fmt.Fprintf(a.Page, "  about %s, and some seconds for set-up and report\n", minutes(*p.Seconds))
	}
	for _, few := range p.TooFew {
		fmt.Fprintf(a.Page, "  %s\n", few)
	}
	if x.Precision > 0 {
		fmt.Fprintf(a.Page, "  more trials are added until each median is known within %.3g %%\n", float64(x.Precision)*100)
	}
	if x.MaxTime > 0 {
		fmt.Fprintf(a.Page, "  no trial begins after %v\n", x.MaxTime)
	}
	if x.Strict {
		fmt.Fprintf(a.Page, "  disturbed trials are repeated, up to %d times each\n", engine.MaxRepeats)
	}
}

// minutes writes a time as people plan with it.
func minutes(s float64) string {
	switch {
	case s < 1:
		return "a second"
	case s < 90:
		return fmt.Sprintf("%.0f seconds", s)
	}
	return fmt.Sprintf("%.1f minutes", s/60)
}
