package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lab/bench/request"
	"lab/bench/results"
	"lab/bench/runs"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/scenarios"
)

// Plan says in one line what will be done: all sessions of it, before the
// first, and for a run that is gone on with what is left.
func (c *console) Plan(j *runs.Job, cells []results.Cell) {
	if j.Session > 1 {
		return
	}
	made := map[string]int{} // by cell, by an earlier process
	for _, l := range j.Done {
		if l.Last && !l.Repeated {
			made[l.Label()]++
		}
	}
	var labels []string
	var trials, warmup, done int
	var about time.Duration
	long := false
	for _, x := range cells {
		label := x.Label()
		if x.NotRun != nil {
			fmt.Fprintf(c.Note, "lab: %s can't run: %s\n", label, x.NotRun.Because())
			continue
		}
		labels = append(labels, label)
		trials += x.Trials * j.Options.Times()
		warmup += x.Warmup * j.Options.Times()
		done += made[label]
		left := max((x.Trials+x.Warmup)*j.Options.Times()-made[label], 0)
		about += time.Duration(left) * runs.Guess(x, j.Machine.Acceleration)
		long = long || x.Expect > 0
	}
	if len(labels) == 0 {
		return
	}
	how := withWarmup(trials, warmup) + " in shuffled order"
	if j.Options.Times() > 1 {
		how += fmt.Sprintf(", in %d sessions", j.Options.Times())
	}
	how += fmt.Sprintf(", seed %d", j.Manifest.Seed)
	if done > 0 {
		how += fmt.Sprintf("; there are %d already", done)
	}
	fmt.Fprintf(c.Note, "lab: %s: %s; %s; %s\n", j.Scenario, strings.Join(labels, ", "), how, within(about, &j.Options.Request, j.Before))
	for _, few := range tooFew(j, cells) {
		fmt.Fprintf(c.Note, "lab: %s\n", few)
	}
	if long {
		fmt.Fprintf(c.Note, "lab: a trial takes at least: %s\n", strings.Join(eachTakes(cells, j.Machine.Acceleration), ", "))
	}
}

// tooFew says what these cells can't tell with the trials that they are to have.
func tooFew(j *runs.Job, cells []results.Cell) []string {
	m := results.Manifest{Cells: cells}
	if sc := scenarios.Find(j.Scenario); sc != nil {
		m.Metrics, m.Findings, m.Figures = sc.Metrics, sc.Findings, sc.Figures
	}
	return msg.English().Texts(analysis.TooFew(m, j.Options.Times()))
}

// eachTakes words what a trial takes, by environment.
func eachTakes(cells []results.Cell, found results.Acceleration) (out []string) {
	var envs []string
	least, most := map[string]time.Duration{}, map[string]time.Duration{}
	for _, c := range cells {
		if c.NotRun != nil {
			continue
		}
		d := runs.Guess(c, found)
		if !slices.Contains(envs, c.Env) {
			envs = append(envs, c.Env)
			least[c.Env] = d
		}
		least[c.Env], most[c.Env] = min(least[c.Env], d), max(most[c.Env], d)
	}
	for _, e := range envs {
		text := e + " " + briefly(least[e])
		if m := briefly(most[e]); m != briefly(least[e]) {
			text += " to " + m
		}
		out = append(out, text)
	}
	return out
}

// within words how long a run will take whose plan takes d or more, within what
// was asked of its extent; before is what it took already.
func within(d time.Duration, x *request.Request, before time.Duration) string {
	limit := max(time.Duration(x.MaxTime)-before, 0)
	switch {
	case x.MaxTime > 0 && d >= limit:
		return "at most about " + roughly(limit)
	case x.Precision > 0 && x.MaxTime > 0:
		return fmt.Sprintf("at least %s, and up to %s for --precision", roughly(d), roughly(limit))
	}
	return "at least " + roughly(d)
}

// withWarmup is a number of trials, and of warm-ups if there are any.
func withWarmup(trials, warmup int) string {
	if warmup == 0 {
		return counted(trials, "trial")
	}
	return counted(trials, "trial") + " and " + counted(warmup, "warm-up")
}

// counted is a number of things in words.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
