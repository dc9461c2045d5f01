package main

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"lab/bench/engine"
	"lab/bench/machine"
	"lab/bench/runs"
)

// predict says what a run would be. It runs nothing, and needs no root. How
// long it takes is told from an earlier run on this machine alone: a guest takes
// a hundred times as long on one machine as on another.
func (a *app) predict(cmd *cobra.Command, names []string, f runFlags) error {
	j, err := f.job(cmd)
	if err != nil {
		return err
	}
	if err := f.used(names, j); err != nil {
		return err
	}
	facts, _ := machine.Facts("")
	before := runs.Earlier(facts.ID, f.out)
	var all []runs.Prediction
	for _, name := range names {
		p := j.Predict(parts, name, before)
		of := *j
		of.Scenario = name
		p.TooFew = tooFew(&of, p.Planned)
		all = append(all, p)
	}
	if f.json {
		return a.printJSON(all)
	}
	for _, p := range all {
		a.printPrediction(p, j.Extent)
	}
	fmt.Fprintln(a.Page, "Nothing was run.")
	return nil
}

func (a *app) printPrediction(p runs.Prediction, x engine.Extent) {
	sessions := ""
	if p.Sessions > 1 {
		sessions = fmt.Sprintf(", in %d sessions", p.Sessions)
	}
	fmt.Fprintf(a.Page, "%s: %s that count, %s%s\n", p.Scenario, counted(p.Trials, "trial"), counted(p.Warmup, "warm-up"), sessions)
	width := 24
	for _, c := range p.Cells {
		width = max(width, utf8.RuneCountInString(c.Cell))
	}
	for _, c := range p.Cells {
		text := "how long isn't known"
		if c.Seconds != nil {
			text = briefly(time.Duration(*c.Seconds*float64(time.Second))) + " each, as "
			if c.Like != "" {
				text += c.Like + " "
			}
			text += "in " + c.From
		}
		fmt.Fprintf(a.Page, "  %-*s %4d + %d, %s\n", width, c.Cell, c.Trials, c.Warmup, text)
	}
	switch {
	case p.Seconds == nil:
		fmt.Fprintf(a.Page, "  how long isn't known: no earlier run on this machine in results/ has these rows; lab run %s --quick measures them\n", p.Scenario)
	case p.Sessions > 1:
		fmt.Fprintf(a.Page, "  about %s, and some seconds for each session's set-up, and for the report\n", minutes(*p.Seconds))
	default:
		fmt.Fprintf(a.Page, "  about %s, and some seconds for set-up and report\n", minutes(*p.Seconds))
	}
	for _, few := range p.TooFew {
		fmt.Fprintf(a.Page, "  %s\n", few)
	}
	if x.Precision > 0 {
		fmt.Fprintf(a.Page, "  more trials are added until each median is known within %.3g %%\n", x.Precision*100)
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
