package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/experiment"
	"lab/bench/image"
	"lab/bench/input"
	"lab/bench/owner"
	"lab/bench/request"
	"lab/bench/results"
	"lab/bench/runs"
	"lab/bench/testbed"
	"lab/cmd/cli"
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
	if err := a.NeedRoot(command, cli.StatusNothing); err != nil {
		return nil, err
	}
	j, err := f.jobOf(run)
	if err != nil {
		return nil, err
	}
	if err := used(j.Options); err != nil {
		return nil, err
	}
	o := &oldRun{Run: run, job: j}
	if f.Connect != "" {
		if o.target, err = reach(f.Connect); err != nil {
			return nil, err
		}
		connect(j, o.target)
	}
	if o.lock, o.end, err = a.begin(j); err != nil {
		return nil, err
	}
	if f.Image == "" {
		err = a.useSavedImage(run, j)
	}
	if err == nil && j.Options.Kernel == "" {
		err = a.useSavedKernel(run, j)
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
	j := &runs.Job{Scenario: run.Manifest.Scenario, Manifest: run.Manifest, Options: bench.Options{Known: known(r.Environments...), Some: run.Manifest.Some, Request: r}}
	j.UID, j.GID = owner.IDs()
	return j, nil
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
	if !request.Digest(m.Image.Digest).Valid() {
		return fmt.Errorf("%s: %q is no digest", filepath.Join(run.Dir, results.ManifestFile), m.Image.Digest)
	}
	dir := unpackedDir(j.Cache, m.Image.Digest)
	r, err := image.Open(dir)
	if err != nil || r.Digest != m.Image.Digest {
		if r, err = unpackSaved(f, dir, m.Image.Digest, j.UID, j.GID); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	fmt.Fprintf(a.Note, "lab: the image is %s, from the results folder: its programs run as root\n", name)
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
	j.Options.Kernel = name
	return nil
}
