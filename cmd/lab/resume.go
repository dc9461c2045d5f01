//go:build !lean

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lab/bench/engine"
	"lab/bench/results"
)

// resume goes on with a run that was broken off: the same seed and plan, but
// for the trials that are there.
func (a *app) resume(cmd *cobra.Command, names []string, f runFlags) error {
	var wrong string
	cmd.Flags().Visit(func(fl *pflag.Flag) {
		if !slices.Contains([]string{"resume", "image", "kernel", "work", "json", "connect"}, fl.Name) {
			wrong = fl.Name
		}
	})
	if wrong != "" {
		return usagef("--resume goes on with what was asked for then, and --%s would change it; begin a new run for that", wrong)
	}
	old, err := a.again("resume", "lab run", f.resume, f, func(run *results.Run) error { return resumable(run, names, f.work != "") })
	if err != nil {
		return err
	}
	defer old.end()
	run, j := old.Run, old.job
	if err := sameConditions(run, j); err != nil {
		return err
	}
	// Only now does nobody else write there.
	cut, err := results.Mend(f.resume)
	if err == nil {
		run, err = results.Read(f.resume)
	}
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	j.Done = run.Lines
	trials := map[int]bool{}
	for _, l := range run.Lines {
		trials[l.Trial] = true
		j.Before = max(j.Before, time.Duration(l.At*float64(time.Second)))
	}
	note := fmt.Sprintf("The run was broken off after %s, and gone on with on %s.",
		counted(len(trials), "trial"), time.Now().UTC().Format("2006-01-02 15:04 MST"))
	if cut > 0 {
		note += " A trial that wasn't written to its end was made again."
	}
	m := run.Manifest // what begin found out is what there was
	m.Outcome, m.Ended = "", time.Time{}
	m.Notes = append(slices.DeleteFunc(m.Notes, func(n string) bool { return strings.HasPrefix(n, brokeOff) }), note)
	m.Notes = append(m.Notes, old.otherLibvirt()...)
	j.Manifest, j.Machine, j.Planned = m, run.Machine, m.Cells
	if j.Planned == nil { // it came to an end before its plan
		j.Planned = []results.Cell{}
	}
	s := &supervisor{app: a, job: j, lock: old.lock, dir: f.resume, json: f.json, target: old.target}
	return s.run()
}

// brokeOff begins the note of a run that didn't come to its end by itself.
const brokeOff = "The run broke off"

// resumable says why a run can't be gone on with, as far as its folder tells;
// work is whether --work is given.
func resumable(run *results.Run, names []string, work bool) error {
	m := run.Manifest
	switch {
	case len(names) > 1 || len(names) == 1 && names[0] != m.Scenario:
		return usagef("resume: %s is a run of %s, not of %s", run.Dir, m.Scenario, strings.Join(names, ", "))
	case m.Lab != labVersion():
		return fmt.Errorf("resume: %s was begun by lab %s, and this is %s, which may measure otherwise; go on with that one, or begin a new run",
			run.Dir, m.Lab, labVersion())
	case m.Asked != nil && m.Asked.Sessions > 1:
		return fmt.Errorf("resume: %s is a run of %d sessions, which can't be gone on with; lab report draws what there is, lab reproduce makes all of it again", run.Dir, m.Asked.Sessions)
	case m.Outcome == engine.Complete || m.Outcome == engine.Failures && !slices.ContainsFunc(m.Notes, func(n string) bool { return strings.HasPrefix(n, brokeOff) }):
		return fmt.Errorf("resume: %s has all of its trials; lab report draws it again, lab reproduce does it once more", run.Dir)
	case m.Asked != nil && m.Asked.Work && !work:
		return usagef("resume: the instances of %s wrote to a folder that --work named, and results don't say which; name it once more", run.Dir)
	case m.Asked != nil && !m.Asked.Work && work:
		return usagef("resume: the instances of %s wrote below the cache, and --work would change that; leave it out", run.Dir)
	}
	return nil
}

// sameConditions says what isn't any more as it was when the run began.
func sameConditions(run *results.Run, j *job) error {
	m := run.Manifest
	for _, x := range []struct{ what, was, is, cure string }{
		{"the machine", run.Machine.ID, j.Machine.ID, "go on there"},
		{"the machine's kernel", run.Machine.Kernel, j.Machine.Kernel, "boot that one"},
		{"the image", m.Image.Digest, j.Manifest.Image.Digest, "name the same one with --image"},
		{"the workload", m.Workload.Digest, j.Manifest.Workload.Digest, "name the same image with --image"},
	} {
		if x.was != x.is {
			return fmt.Errorf("resume: %s isn't the same as when %s began (%s, now %s); %s, or begin a new run", x.what, run.Dir, x.was, x.is, x.cure)
		}
	}
	return nil
}

// samePlan compares the cells, and the guests' kernel, of a run that is gone on
// with; without planned ones there is nothing to compare.
func samePlan(planned []results.Cell, kernel results.Digested, now *results.Manifest) error {
	if len(planned) == 0 {
		return nil
	}
	same := len(planned) == len(now.Cells)
	for i := 0; same && i < len(planned); i++ {
		p, c := planned[i], now.Cells[i]
		switch {
		case p.Label() != c.Label() || p.Trials != c.Trials || p.Warmup != c.Warmup:
			same = false
		case (p.NotRun == nil) != (c.NotRun == nil):
			return fmt.Errorf("resume: %s could be run then and not now, or now and not then; begin a new run", p.Label())
		case !maps.Equal(p.Settings, c.Settings):
			return fmt.Errorf("resume: the settings of %s came to %v then, and come to %v now; begin a new run", p.Label(), p.Settings, c.Settings)
		}
	}
	switch {
	case !same:
		return fmt.Errorf("resume: the scenario plans other trials than it did then; begin a new run")
	case kernel.Digest != now.Kernel.Digest:
		return fmt.Errorf("resume: the guests' kernel was %s then, and is %s now; name the same one with --kernel, or begin a new run", kernel.Name, now.Kernel.Name)
	}
	return nil
}
