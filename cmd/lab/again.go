//go:build !lean

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/engine"
	"lab/bench/experiment"
	"lab/bench/image"
	"lab/bench/input"
	"lab/bench/results"
	"lab/bench/runs"
	"lab/bench/testbed"
	"lab/bench/usercache"
	"lab/scenarios"
	"lab/vm/client"
	"lab/vm/kernel"
)

// An oldRun is a run that was read back, to be made once more or gone on with,
// and the job that it was; the machine is held for it. end gives it back.
type oldRun struct {
	*results.Run
	job    *runs.Job
	target *client.Target // a foreign libvirt, or nil
	lock   *testbed.Lock
	end    func()
}

// again reads the run in a folder, asks fit whether it can be made again, and
// takes the machine for it. verb is for errors: "resume"; command is what needs
// root: "lab run".
func (a *app) again(verb, command, dir string, f runFlags, fit func(*results.Run) error) (*oldRun, error) {
	run, err := results.Read(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", verb, err)
	}
	m := run.Manifest
	switch {
	case scenarios.Find(m.Scenario) == nil:
		return nil, fmt.Errorf("%s: %s is a run of %s, which this lab doesn't know; fix: use lab %s", verb, dir, m.Scenario, m.Lab)
	case m.Asked == nil:
		return nil, fmt.Errorf("%s: the lab that made %s didn't record what was asked for; the nearest is: lab run %s --seed %d", verb, dir, m.Scenario, m.Seed)
	}
	if err := fit(run); err != nil {
		return nil, err
	}
	if err := f.sameLibvirt(verb, run); err != nil {
		return nil, err
	}
	if err := a.needRoot(command, statusNothing); err != nil {
		return nil, err
	}
	j, err := f.jobOf(run)
	if err != nil {
		return nil, err
	}
	if err := f.used([]string{m.Scenario}, j); err != nil {
		return nil, err
	}
	o := &oldRun{Run: run, job: j}
	if f.connect != "" {
		if o.target, err = reach(f.connect); err != nil {
			return nil, err
		}
		j.Connect = &runs.Connection{Name: o.target.Name, Driver: o.target.Driver}
	}
	if o.lock, o.end, err = a.begin(j, f.image); err != nil {
		return nil, err
	}
	if f.image == "" {
		err = a.useSavedImage(run, j)
	}
	if err == nil && j.Options.Variant["kernel"] == "" {
		err = a.useSavedKernel(run, j)
	}
	if err == nil {
		err = keepExperiment(run, j)
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
	case was != "" && f.connect == "":
		return usagef("%s: another libvirt (%s) made the guests of %s, and results don't record its address; fix: --connect URI", verb, was, run.Dir)
	case was == "" && f.connect != "":
		return usagef("%s: the lab's own libvirt made the guests of %s, and --connect would change that; fix: leave it out, or begin a new run", verb, run.Dir)
	case f.connect != "":
		if _, err := client.ParseTarget(f.connect); err != nil {
			return usagef("--%w", err)
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

// jobOf is the job that a run was.
func (f *runFlags) jobOf(run *results.Run) (*runs.Job, error) {
	m := run.Manifest
	x := m.Asked
	if max(x.Runs, x.Warmup) > runs.MaxTrials || x.Sessions > runs.MaxSessions {
		return nil, fmt.Errorf("%s asked for %d trials, %d warm-ups and %d sessions; the most are %d, %d and %d",
			run.Dir, x.Runs, x.Warmup, x.Sessions, runs.MaxTrials, runs.MaxTrials, runs.MaxSessions)
	}
	j := &runs.Job{Scenario: m.Scenario, Runs: x.Runs, Warmup: x.Warmup, Manifest: m,
		Options: bench.Options{Known: known(), Envs: x.Envs, Variant: maps.Clone(x.Variant), Vary: x.Vary, Quick: m.Quick, Image: f.image, CPUs: x.CPUs},
		Extent:  engine.Extent{Precision: x.Precision, MaxTime: time.Duration(x.MaxTime * float64(time.Second)), Strict: x.Strict}}
	j.Budget, j.Sessions = x.DiskBudget, x.Sessions
	j.UID, j.GID = usercache.Owner()
	if j.Options.Variant == nil {
		j.Options.Variant = map[string]string{}
	}
	var err error
	if x.CPUs != "" {
		if err = cgroup.CheckCPUSet(x.CPUs); err != nil {
			return nil, fmt.Errorf("the run was pinned to processors %s: %w", x.CPUs, err)
		}
	}
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

// keepExperiment takes the experiment file of a run over, which must be the one
// that the manifest names.
func keepExperiment(run *results.Run, j *runs.Job) error {
	x := run.Manifest.Experiment
	if x == nil {
		return nil
	}
	e, err := experiment.ReadIn(run.Dir)
	if err != nil {
		return err
	}
	if e.Digested.Digest != x.Digest {
		return fmt.Errorf("%s isn't the experiment of this run: its digest is %s, and the manifest says %s", e.Name, e.Digested.Digest, x.Digest)
	}
	j.Experiment = e.Data
	return nil
}

// useSavedImage makes a job use the image that was saved beside a run, where
// this machine's own is another one. Its bytes must be the manifest's.
func (a *app) useSavedImage(run *results.Run, j *runs.Job) error {
	m := run.Manifest
	name := filepath.Join(run.Dir, results.SavedImage)
	f, err := saved(run, results.SavedImage)
	if f == nil || err != nil {
		return err
	}
	defer f.Close()
	if j.Image.Digest == m.Image.Digest {
		return nil
	}
	if !experiment.IsDigest(m.Image.Digest) {
		return fmt.Errorf("%s: %q is no digest", filepath.Join(run.Dir, results.ManifestFile), m.Image.Digest)
	}
	dir := unpackedDir(j.Cache, m.Image.Digest)
	r, err := image.Open(dir)
	if err != nil || r.Digest != m.Image.Digest {
		if r, err = unpackSaved(f, dir, m.Image.Digest, j.UID, j.GID); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	fmt.Fprintf(a.note, "lab: the image is %s, from the results folder: its programs run as root\n", name)
	r.Name = m.Image.Name
	j.Image = r
	j.Describe(parts)
	return nil
}

// saved opens what was saved beside a run; nil where nothing was.
func saved(run *results.Run, name string) (*os.File, error) {
	root, err := input.OpenRoot(run.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := input.OpenIn(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return f, err
}

// useSavedKernel does the same for the guests' kernel.
func (a *app) useSavedKernel(run *results.Run, j *runs.Job) error {
	name, err := filepath.Abs(filepath.Join(run.Dir, results.SavedKernel))
	if err != nil {
		return err
	}
	f, err := saved(run, results.SavedKernel)
	if f == nil || err != nil {
		return err
	}
	f.Close()
	if run.Manifest.Kernel.Digest == "" {
		return nil
	}
	if k, err := kernel.Newest(j.Cache); err == nil && k.Digest == run.Manifest.Kernel.Digest {
		return nil
	}
	k, err := kernel.Named(name)
	if err != nil {
		return err
	}
	if want := run.Manifest.Kernel; k.Digest != want.Digest {
		return fmt.Errorf("%s isn't the run's guest kernel: its digest is %s, and the manifest says %s", name, k.Digest, want.Digest)
	}
	j.Options.Variant["kernel"] = name
	return nil
}
