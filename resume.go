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

	"lab/bench"
	"lab/bench/results"
	"lab/scenarios"
)

// resume goes on with a run that was broken off: the same seed and plan, but
// for the trials that are there.
func (a *app) resume(cmd *cobra.Command, names []string, f runFlags) error {
	var wrong string
	cmd.Flags().Visit(func(fl *pflag.Flag) {
		if !slices.Contains([]string{"resume", "image", "kernel", "work", "json"}, fl.Name) {
			wrong = fl.Name
		}
	})
	if wrong != "" {
		return usagef("--resume goes on with what was asked for then, and --%s would change it; begin a new run for that", wrong)
	}
	if err := a.needRoot("lab run", statusNothing); err != nil {
		return err
	}
	run, err := results.Read(f.resume)
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	if err := resumable(run, names); err != nil {
		return err
	}
	j, err := f.jobOf(run)
	if err != nil {
		return err
	}
	lock, end, err := a.begin(j, f.image)
	if err != nil {
		return err
	}
	defer end()
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
	note := fmt.Sprintf("The run was broken off after %d trials, and gone on with on %s.",
		len(trials), time.Now().UTC().Format("2006-01-02 15:04 MST"))
	if cut > 0 {
		note += " A trial that wasn't written to its end was made again."
	}
	m := run.Manifest // what begin found out is what there was
	m.Outcome, m.Ended = "", time.Time{}
	m.Notes = append(slices.DeleteFunc(m.Notes, func(n string) bool { return strings.HasPrefix(n, brokeOff) }), note)
	j.Manifest, j.Machine, j.Planned = m, run.Machine, m.Cells
	if j.Planned == nil { // it came to an end before its plan
		j.Planned = []results.Cell{}
	}
	s := &supervisor{app: a, job: j, lock: lock, dir: f.resume, json: f.json}
	return s.run()
}

// brokeOff begins the note of a run that didn't come to its end by itself.
const brokeOff = "The run broke off"

// resumable says why a run can't be gone on with, as far as its folder tells.
func resumable(run *results.Run, names []string) error {
	m := run.Manifest
	switch {
	case len(names) > 1 || len(names) == 1 && names[0] != m.Scenario:
		return usagef("resume: %s is a run of %s, not of %s", run.Dir, m.Scenario, strings.Join(names, ", "))
	case scenarios.Find(m.Scenario) == nil:
		return fmt.Errorf("resume: %s is a run of %s, which this lab doesn't know; there are: %s",
			run.Dir, m.Scenario, strings.Join(scenarioNames(), ", "))
	case m.Asked == nil:
		return fmt.Errorf("resume: the lab that made %s didn't write down what was asked for; lab run %s begins a new run", run.Dir, m.Scenario)
	case m.Lab != labVersion():
		return fmt.Errorf("resume: %s was begun by lab %s, and this is %s, which may measure otherwise; go on with that one, or begin a new run",
			run.Dir, m.Lab, labVersion())
	case m.Outcome == bench.Complete || m.Outcome == bench.Failures && !slices.ContainsFunc(m.Notes, func(n string) bool { return strings.HasPrefix(n, brokeOff) }):
		return fmt.Errorf("resume: %s has all of its trials; lab report draws it again, lab reproduce does it once more", run.Dir)
	}
	return nil
}

// jobOf is the job that a run was.
func (f *runFlags) jobOf(run *results.Run) (*job, error) {
	m := run.Manifest
	x := m.Asked
	j := &job{Scenario: m.Scenario, Runs: x.Runs, Warmup: x.Warmup, Manifest: m,
		Options: bench.Options{Envs: x.Envs, Variant: maps.Clone(x.Variant), Vary: x.Vary, Quick: m.Quick, Image: f.image, CPUs: x.CPUs},
		Extent:  bench.Extent{Precision: x.Precision, MaxTime: time.Duration(x.MaxTime * float64(time.Second)), Strict: x.Strict}}
	j.Budget = x.DiskBudget
	j.UID, j.GID = owner()
	if j.Options.Variant == nil {
		j.Options.Variant = map[string]string{}
	}
	var err error
	if j.Work, err = workDir(f.work); err != nil {
		return nil, err
	}
	kernel, err := kernelFile(f.kernel)
	if err != nil {
		return nil, err
	}
	if kernel != "" {
		j.Options.Variant["kernel"] = kernel
	}
	return j, nil
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
