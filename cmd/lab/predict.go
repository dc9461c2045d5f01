//go:build !lean

package main

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"lab/bench"
	"lab/bench/engine"
	"lab/bench/machine"
	"lab/bench/results"
	"lab/bench/stats"
)

// What lab run --predict prints.
type (
	prediction struct {
		Scenario string          `json:"scenario"`
		Cells    []predictedCell `json:"cells"`
		Sessions int             `json:"sessions"` // all numbers of trials are of all of these together
		Trials   int             `json:"trials"`
		Warmup   int             `json:"warmup"`
		Seconds  *float64        `json:"seconds"`            // null where a cell's aren't known
		MaxTime  float64         `json:"max_time,omitempty"` // seconds after which the trials end, whatever else
	}
	predictedCell struct {
		Cell    string   `json:"cell"`
		Trials  int      `json:"trials"`
		Warmup  int      `json:"warmup"`
		Seconds *float64 `json:"seconds_per_trial"` // median of an earlier run on this machine; null: there is none
		From    string   `json:"from,omitempty"`    // its folder
		Like    string   `json:"like,omitempty"`    // the row there that this one is taken to be like; "": itself
	}
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
	before, envs := earlier(facts.ID, f.out), environments()
	var all []prediction
	for _, name := range names {
		p := prediction{Scenario: name, Sessions: j.times(), MaxTime: j.Extent.MaxTime.Seconds()}
		total, known := 0.0, true
		for _, c := range j.scenario(name).Planned(j.Options, envs) {
			x := predictedCell{Cell: results.Label(c.Env, c.Variant, c.N), Trials: c.Trials * p.Sessions, Warmup: c.Warmup * p.Sessions}
			if x.took(before, name, c, j); x.Seconds != nil {
				total += *x.Seconds * float64(x.Trials+x.Warmup)
			} else {
				known = false
			}
			p.Trials += x.Trials
			p.Warmup += x.Warmup
			p.Cells = append(p.Cells, x)
		}
		if known {
			p.Seconds = &total
		}
		all = append(all, p)
	}
	if f.json {
		return a.printJSON(all)
	}
	for _, p := range all {
		a.printPrediction(p, j.Extent)
	}
	fmt.Fprintln(a.stdout, "Nothing was run.")
	return nil
}

func (a *app) printPrediction(p prediction, x engine.Extent) {
	sessions := ""
	if p.Sessions > 1 {
		sessions = fmt.Sprintf(", in %d sessions", p.Sessions)
	}
	fmt.Fprintf(a.stdout, "%s: %s that count, %s%s\n", p.Scenario, counted(p.Trials, "trial"), counted(p.Warmup, "warm-up"), sessions)
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
		fmt.Fprintf(a.stdout, "  %-*s %4d + %d, %s\n", width, c.Cell, c.Trials, c.Warmup, text)
	}
	switch {
	case p.Seconds == nil:
		fmt.Fprintf(a.stdout, "  about: can't be told: no earlier run on this machine in results/ has these rows; lab run %s --quick measures them\n", p.Scenario)
	case p.Sessions > 1:
		fmt.Fprintf(a.stdout, "  about %s, and some seconds for each session's set-up, and for the report\n", minutes(*p.Seconds))
	default:
		fmt.Fprintf(a.stdout, "  about %s, and some seconds for set-up and report\n", minutes(*p.Seconds))
	}
	if x.Precision > 0 {
		fmt.Fprintf(a.stdout, "  more trials are added until each median is known within %.3g %%\n", x.Precision*100)
	}
	if x.MaxTime > 0 {
		fmt.Fprintf(a.stdout, "  the trials end after %v at the latest, and what is begun\n", x.MaxTime)
	}
	if x.Strict {
		fmt.Fprintf(a.stdout, "  disturbed trials are repeated, up to %d times each\n", engine.MaxRepeats)
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

// earlier reads the runs of this machine that lie where runs are left by
// default, and beside out; the newest first.
func earlier(machineID, out string) []*results.Run {
	dirs := []string{"results"}
	if out != "" {
		dirs = append(dirs, filepath.Dir(out))
	}
	var runs []*results.Run
	for _, dir := range dirs {
		found, _ := filepath.Glob(filepath.Join(dir, "*", results.ManifestFile))
		for _, m := range found {
			// What can't be read is no run to learn from.
			run, err := results.Read(filepath.Dir(m))
			if err == nil && machineID != "" && run.Machine.ID == machineID {
				runs = append(runs, run)
			}
		}
	}
	slices.SortFunc(runs, func(a, b *results.Run) int { return b.Manifest.Started.Compare(a.Manifest.Started) })
	return runs
}

// took fills in what a trial of the cell x takes: the median in the newest run
// that was asked for in the same way and has some, or else of a row that is most
// like it, of the same environment. The lengths of a trial's parts are the
// scenario's, and shorter in a first look: where that row had others than c, or
// fewer instances, what is guessed of both makes the difference.
func (x *predictedCell) took(runs []*results.Run, scenario string, c bench.Cell, j *job) {
	now := results.Cell{N: c.N, Expect: c.Expect.Seconds()}
	var like *results.Cell
	for _, same := range []bool{true, false} {
		for _, r := range runs {
			if m := r.Manifest; m.Scenario != scenario || m.Accel != j.Manifest.Accel || !sameAsked(m.Asked, j) {
				continue
			}
			spent := r.Spent()
			for i := range r.Manifest.Cells {
				was := &r.Manifest.Cells[i]
				s := spent[was.Label()]
				if len(s) == 0 || was.Env != c.Env || same && was.Label() != x.Cell {
					continue
				}
				if like != nil && math.Abs(like.Expect-now.Expect) <= math.Abs(was.Expect-now.Expect) {
					continue
				}
				like, now.Settings = was, was.Settings
				took := max(stats.Median(s)+(guess(now)-guess(*was)).Seconds(), 0)
				x.Seconds, x.From = &took, r.Dir
				if !same {
					x.Like = was.Label()
				}
			}
			if like != nil {
				return
			}
		}
	}
}

// sameAsked says whether a run had the settings for all cells, and the
// processors, that a job has. The acceleration is compared by itself.
func sameAsked(was *results.Asked, j *job) bool {
	if was == nil {
		return false
	}
	then, now := maps.Clone(was.Variant), j.asked()
	delete(then, "accel")
	delete(now, "accel")
	return maps.Equal(then, now) && was.CPUs == j.Options.CPUs
}
