package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/experiment"
	"lab/bench/owner"
	"lab/bench/results"
	"lab/bench/runs"
	"lab/bench/testbed"
	"lab/cmd/cli"
	"lab/reports"
	"lab/scenarios"
	"lab/vm/client"
)

// Two commands take up a run that was made before: lab run --resume goes on with its
// folder, and lab reproduce makes it once more in a new one. Both read the manifest, not
// the command line of then: it says what was asked for in full, defaults included. What
// it doesn't say, for privacy's sake, are places (paths, addresses); these are typed anew.
//
// What differs is what has to be the same. Resumed is only what would be one run in the
// end: the same program, machine, kernel and image, with nobody having touched the
// folder. Reproduced is anything whose scenario this lab knows, and the report says what
// differs.

// An oldRun is a run that was read back, to be made once more or gone on with,
// and the job that it was; the machine is held for it. end gives it back.
type oldRun struct {
	*results.Run
	job    *runs.Job
	target *client.Target // a foreign libvirt, or nil
	lock   *testbed.Lock
	end    func()
}

// reopen reads the run in a folder, asks fit whether it can be made reopen, and
// takes the machine for it. verb is for errors: "resume"; command is what needs
// root: "lab run".
func (a *app) reopen(verb, command, dir string, f runFlags, fit func(*results.Run) error) (*oldRun, error) {
	run, err := results.Read(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", verb, err)
	}
	// What was asked for then is read back, not what it came to: an environment that
	// couldn't run there may be able to here.
	m := run.Manifest
	switch {
	case scenarios.Find(m.Scenario) == nil:
		return nil, fmt.Errorf("%s: %s is a run of %s, which this lab doesn't know; fix: use lab %s", verb, dir, m.Scenario, m.Lab)
	// Early labs didn't record it. What can be told is how to come near.
	case m.Asked == nil:
		return nil, fmt.Errorf("%s: the lab that made %s didn't record what was asked for; the nearest is: lab run %s --seed %d", verb, dir, m.Scenario, m.Seed)
	}
	// All that can be refused without root and without the machine is refused first.
	if err := fit(run); err != nil {
		return nil, err
	}
	if err := f.sameLibvirt(verb, run); err != nil {
		return nil, err
	}
	if err := a.NeedRoot(command, cli.StatusNothing); err != nil {
		return nil, err
	}
	j, err := f.jobOf(run)
	if err != nil {
		return nil, err
	}
	if err := refuseUnused(j.Options); err != nil {
		return nil, err
	}
	o := &oldRun{Run: run, job: j}
	// The lock comes last of all that can fail for others' reasons: from here on the
	// machine is ours.
	if f.Connect != "" {
		if o.target, err = reach(f.Connect); err != nil {
			return nil, err
		}
		connect(j, o.target)
	}
	if o.lock, o.end, err = a.begin(j); err != nil {
		return nil, err
	}
	// Bytes that were saved beside the run go before this machine's own, and what the
	// user names goes before both.
	if f.Image == "" {
		err = a.useSavedImage(run, j)
	}
	if err == nil && j.Options.Kernel == "" {
		err = a.useSavedKernel(run, j)
	}
	if err == nil {
		err = a.useNamedKernels(run, j)
	}
	if err == nil {
		j.Experiment, err = experiment.Kept(run)
	}
	if err != nil {
		o.end()
		return nil, fmt.Errorf("%s: %w", verb, err)
	}
	return o, nil
}

// sameLibvirt says whether it is said where the guests of a run shall be made.
func (f *runFlags) sameLibvirt(verb string, run *results.Run) error {
	switch was := run.Manifest.Asked.Connect; {
	case was != "" && f.Connect == "":
		return cli.Usagef("%s: another libvirt (%s) made the guests of %s, and results don't record its address; fix: --connect URI", verb, was, run.Dir)
	case was == "" && f.Connect != "":
		return cli.Usagef("%s: the lab's own libvirt made the guests of %s, and --connect would change that; fix: leave it out, or begin a new run", verb, run.Dir)
	case f.Connect != "":
		if _, err := client.ParseTarget(f.Connect); err != nil {
			return cli.Usagef("--%w", err)
		}
	}
	return nil
}

// otherLibvirt is what a run's notes say where its guests were made by a
// foreign libvirt that was named anew; else nothing.
func (o *oldRun) otherLibvirt() []string {
	if o.target == nil {
		return nil
	}
	return []string{"The libvirt that makes the guests was named again (" + o.target.Name +
		"). Results don't record its address, so they can't tell whether it is the original's."}
}

// jobOf is the job that a run was, with the places that were named anew.
func (f *runFlags) jobOf(run *results.Run) (*runs.Job, error) {
	if err := f.places(); err != nil {
		return nil, err
	}
	// Paths aren't recorded, as they say who somebody is: those of this machine are
	// typed again.
	r := run.Manifest.Asked.Again()
	r.Scenarios, r.Seed = []string{run.Manifest.Scenario}, &run.Manifest.Seed
	r.Image, r.Kernel, r.Work = f.Image, f.Kernel, f.Work
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("what was asked for: %w", err)
	}
	if r.CPUs != "" {
		if err := cgroup.CheckCPUSet(string(r.CPUs)); err != nil {
			return nil, fmt.Errorf("the run was pinned to processors %s: %w", r.CPUs, err)
		}
	}
	j := &runs.Job{Scenario: run.Manifest.Scenario, Manifest: run.Manifest, Options: bench.Options{Known: known(r.Environments...), Some: run.Manifest.Some, EmulatedOnce: run.Manifest.Once, Request: r}}
	j.UID, j.GID = owner.IDs()
	return j, nil
}

// resume goes on with a run that was broken off: the same seed and plan, but
// for the trials that are there.
func (a *app) resume(cmd *cobra.Command, f runFlags) error {
	if wrong := changing(cmd, "guess", "out", "file", "predict"); wrong != "" {
		return cli.Usagef("--resume goes on with what was asked for then, and --%s would change it; fix: leave it out, or begin a new run", wrong)
	}
	old, err := a.reopen("resume", "lab run", f.resume, f, func(run *results.Run) error { return resumable(run, f.Scenarios, f.Work != "") })
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
	// From here on the job is the run that was interrupted: its manifest, its plan and
	// its trials so far.
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
	// One run, one program: half of its trials by another version would be two runs in
	// one folder.
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
