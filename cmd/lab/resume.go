package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"lab/bench/results"
	"lab/bench/runs"
	"lab/cmd/cli"
	"lab/reports"
)

// resume goes on with a run that was broken off: the same seed and plan, but
// for the trials that are there.
func (a *app) resume(cmd *cobra.Command, f runFlags) error {
	if wrong := changing(cmd, "out", "file", "predict"); wrong != "" {
		return cli.Usagef("--resume goes on with what was asked for then, and --%s would change it; fix: leave it out, or begin a new run", wrong)
	}
	old, err := a.again("resume", "lab run", f.resume, f, func(run *results.Run) error { return resumable(run, f.Scenarios, f.Work != "") })
	if err != nil {
		return err
	}
	defer old.end()
	run, j := old.Run, old.job
	if err := runs.SameConditions(run, j); err != nil {
		return err
	}
	// Only now does nobody else write there.
	run, err = reports.Read(f.resume)
	if err == nil && run.Changed != nil {
		err = fmt.Errorf("%s changed after the run was interrupted: %s; fix: begin a new run", f.resume, strings.Join(run.Changed, ", "))
	}
	// The sums hold until a trial is added.
	if err == nil {
		err = reports.RemoveSums(f.resume)
	}
	var cut int64
	if err == nil {
		cut, err = results.Mend(f.resume)
	}
	if err == nil {
		run, err = results.Read(f.resume)
	}
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	j.Resume(run, cut)
	j.Manifest.Notes = append(j.Manifest.Notes, old.otherLibvirt()...)
	s := &supervisor{Supervisor: runs.Supervisor{Job: j, Lock: old.lock, Dir: f.resume, Passage: passage(old.target)}, app: a, json: f.json, connect: f.Connect, live: f.live}
	return s.run()
}

// resumable says why a run can't be gone on with, as far as its folder tells;
// work is whether --work is given.
func resumable(run *results.Run, names []string, work bool) error {
	m := run.Manifest
	switch {
	case len(names) > 1 || len(names) == 1 && names[0] != m.Scenario:
		return cli.Usagef("resume: %s is a run of %s, not of %s", run.Dir, m.Scenario, strings.Join(names, ", "))
	case m.Lab != cli.Version():
		return fmt.Errorf("resume: %s was made by lab %s, and this is %s, which may measure differently; fix: use that version, or begin a new run",
			run.Dir, m.Lab, cli.Version())
	case m.Asked != nil && m.Asked.Sessions > 1:
		return fmt.Errorf("resume: %s is a run of %d sessions, which can't be resumed; lab report draws what there is, lab reproduce repeats all of it", run.Dir, m.Asked.Sessions)
	case !runs.Interrupted(&m):
		return fmt.Errorf("resume: %s is complete; lab report draws it again, lab reproduce repeats it", run.Dir)
	case m.Asked != nil && m.Asked.Work != "" && !work:
		return cli.Usagef("resume: the instances of %s wrote to a folder given with --work, and results don't record which; fix: --work DIR", run.Dir)
	case m.Asked != nil && m.Asked.Work == "" && work:
		return cli.Usagef("resume: the instances of %s wrote to the cache, and --work would change that; fix: leave it out", run.Dir)
	}
	return nil
}
