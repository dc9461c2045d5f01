package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"lab/bench/engine"
	"lab/bench/machine"
	"lab/bench/request"
	"lab/bench/results"
	"lab/bench/runs"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/scenarios"
)

// What a reader of the results will ask is said before the first trial, while it still
// can be changed: which rows can't run and why, how many trials the others get, in
// which order, from which seed, for how long, and what so few can't tell. --predict
// says it and stops there. Once the results are seen, each of these would sound like an
// excuse.

// Plan says in one line what will be done: all sessions of it, before the
// first, and for a run that is gone on with what is left.
func (c *console) Plan(j *runs.Job, cells []results.Cell) {
	if j.Session > 1 {
		return
	}
	// A run that is resumed has some of its trials already.
	made := map[string]int{} // by cell, by an earlier process
	for _, l := range j.Done {
		if l.Last && !l.Repeated {
			made[l.Label()]++
		}
	}
	// What can't run is said before the run, not after it: the user may be waiting for
	// that row.
	var labels []string
	var trials, warmup, done int
	var about time.Duration
	long := false
	for _, x := range cells {
		label := x.Label()
		if x.NotRun != nil {
			c.note(say("%s can't run: %s", label, because(x.NotRun)))
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
	// Everything that a reader of the results will ask is said before the first trial:
	// how many, in which order, from which seed, and for how long.
	how := withWarmup(trials, warmup) + say(" in shuffled order")
	if j.Options.Times() > 1 {
		how += say(", in %d sessions", j.Options.Times())
	}
	how += say(", seed %d", j.Manifest.Seed)
	if done > 0 {
		how += say("; there are %d already", done)
	}
	c.note(fmt.Sprintf("%s: %s; %s; %s", j.Scenario, named(labels), how, within(about, &j.Options.Request, j.Before)))
	for _, few := range tooFew(j, cells) {
		c.note(few)
	}
	if long {
		c.note(say("a trial takes at least: %s", strings.Join(eachTakes(cells, j.Machine.Acceleration), ", ")))
	}
}

// named lists rows, or counts them by environment if they would be lines of names.
func named(rows []string) string {
	const most = 8
	if len(rows) <= most {
		return strings.Join(rows, ", ")
	}
	var envs []string
	n := map[string]int{}
	for _, r := range rows {
		env, _, _ := strings.Cut(r, " ")
		if n[env]++; n[env] == 1 {
			envs = append(envs, env)
		}
	}
	for i, env := range envs {
		if n[env] > 1 {
			envs[i] = fmt.Sprintf("%s %d", env, n[env])
		}
	}
	return say("%d rows (%s)", len(rows), strings.Join(envs, ", "))
}

// tooFew says what these cells can't tell with the trials that they are to have.
func tooFew(j *runs.Job, cells []results.Cell) []string {
	m := results.Manifest{Cells: cells}
	if sc := scenarios.Find(j.Scenario); sc != nil {
		m.Metrics, m.Findings, m.Figures = sc.Metrics, sc.Findings, sc.Figures
	}
	return msg.Reader().Texts(analysis.TooFew(m, j.Options.Times()))
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
			text = say("%s to %s", text, m)
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
		return say("at most about %s", roughly(limit))
	case x.Precision > 0 && x.MaxTime > 0:
		return say("at least %s, and up to %s for --precision", roughly(d), roughly(limit))
	}
	return say("at least %s", roughly(d))
}

// withWarmup is a number of trials, and of warm-ups if there are any.
func withWarmup(trials, warmup int) string {
	if warmup == 0 {
		return counted(trials, "trials")
	}
	return msg.Reader().Text(msg.T("join.and", msg.T("trials", trials), msg.T("warmups", warmup)))
}

// counted is a number of things in words: of those of a message.
func counted(n int, things string) string { return msg.Reader().Text(msg.T(things, n)) }

// because is why a row isn't run, and what helps.
func because(n *results.NotRun) string {
	l := msg.Reader()
	if n.Cure == "" {
		return l.Text(n.Reason)
	}
	return l.Text(n.Reason) + "; " + l.Text(n.Cure)
}

// predict says what a run would be. It runs nothing, and needs no root. How
// long it takes is told from an earlier run on this machine alone: a guest takes
// a hundred times as long on one machine as on another.
func (a *app) predict(fs ...runFlags) error {
	// An earlier run tells how long a trial takes only if this machine made it: its
	// salted id says so.
	facts, _ := machine.Facts("")
	var before []*results.Run
	var all []runs.Prediction
	for i, f := range fs {
		j, err := f.job()
		if err != nil {
			return err
		}
		if err := refuseUnused(j.Options); err != nil {
			return err
		}
		if i == 0 {
			before = runs.Earlier(facts.ID, f.out)
		}
		for _, name := range f.Scenarios {
			p := j.Predict(parts, name, before)
			// tooFew asks for the scenario of the job; this job has had none yet.
			of := *j
			of.Scenario = name
			p.TooFew = tooFew(&of, p.Planned)
			if f.gather != nil {
				p.Folder = f.gather.folder
			}
			all = append(all, p)
		}
	}
	f := fs[0]
	if f.json {
		return a.printJSON(all)
	}
	unknown, sum := false, 0.0
	for _, p := range all {
		a.printPrediction(p, &f.Request)
		if p.Seconds == nil {
			unknown = true
		} else {
			sum += *p.Seconds
		}
	}
	if !unknown && len(all) > 1 {
		sayTo(a.Page, "All together: about %s, and some seconds for each one's set-up and report.\n", minutes(sum))
	}
	if unknown {
		sayTo(a.Page, "How long isn't known: no earlier run on this machine in results/ has rows such as those without a time.\nTo measure them, run the same without --predict, with --quick.\n")
	}
	sayTo(a.Page, "Nothing was run.\n")
	return nil
}

// printPrediction writes for people what predict found out: the number of trials, a
// line for each row with what one of its trials took in an earlier run, and what may
// add trials or end the run early.
func (a *app) printPrediction(p runs.Prediction, x *request.Request) {
	sessions := ""
	if p.Sessions > 1 {
		sessions = say(", in %d sessions", p.Sessions)
	}
	fmt.Fprintf(a.Page, "%s: %s%s\n", cmp.Or(p.Folder, p.Scenario), withWarmup(p.Trials, p.Warmup), sessions)
	// As wide as the longest name, so that the numbers stand below one another.
	width := 24
	for _, c := range p.Cells {
		width = max(width, utf8.RuneCountInString(c.Cell))
	}
	for _, c := range p.Cells {
		line := fmt.Sprintf("  %-*s %4d", width, c.Cell, c.Trials)
		if c.Warmup > 0 {
			line += fmt.Sprintf(" + %d", c.Warmup)
		}
		if c.Seconds != nil {
			each := briefly(time.Duration(*c.Seconds * float64(time.Second)))
			if c.Like != "" {
				line += say(", %s each, as %s in %s", each, c.Like, c.From)
			} else {
				line += say(", %s each, as in %s", each, c.From)
			}
		}
		fmt.Fprintln(a.Page, line)
	}
	switch {
	case p.Seconds == nil:
	case p.Sessions > 1:
		sayTo(a.Page, "  about %s, and some seconds for each session's set-up, and for the report\n", minutes(*p.Seconds))
	default:
		sayTo(a.Page, "  about %s, and some seconds for set-up and report\n", minutes(*p.Seconds))
	}
	for _, few := range p.TooFew {
		fmt.Fprintf(a.Page, "  %s\n", few)
	}
	if x.Precision > 0 {
		sayTo(a.Page, "  more trials are added until each median is known within %.3g %%\n", float64(x.Precision)*100)
	}
	if x.MaxTime > 0 {
		sayTo(a.Page, "  no trial begins after %v\n", x.MaxTime)
	}
	if x.Strict {
		sayTo(a.Page, "  disturbed trials are repeated, up to %d times each\n", engine.MaxRepeats)
	}
}

// minutes writes a time as people plan with it.
func minutes(s float64) string {
	switch {
	case s < 1:
		return say("a second")
	case s < 90:
		return say("%.0f seconds", s)
	}
	return say("%.1f minutes", s/60)
}
