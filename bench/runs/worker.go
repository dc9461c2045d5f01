package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/cgroup/systemd"
	"lab/bench/crew"
	"lab/bench/engine"
	"lab/bench/machine"
	"lab/bench/owner"
	"lab/bench/results"
	"lab/bench/testbed"
	"lab/bench/testbed/nat"
	"lab/bench/usercache"
)

// Duty is the worker's, by which crew.Work finds it; fileResults is the results
// folder among its descriptors.
const (
	Duty        = "run"
	fileResults = "results"
)

// A worker makes the trials.
type worker struct {
	Parts
	*crew.Post
	job   Job
	paced chan struct{} // a value for each sayGo
}

// Work is the worker's part of a run.
func (p Parts) Work(post *crew.Post) any {
	w := &worker{Parts: p, Post: post, paced: make(chan struct{}, 1)}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go post.Obey(func(c byte) {
		switch c {
		case sayStop:
			stop()
		case sayGo:
			w.paced <- struct{}{}
		}
	})
	var e event
	var err error
	if err = post.Job(&w.job); err == nil {
		e.Outcome, err = w.run(ctx)
	}
	if err != nil {
		e.Err, e.Usage, e.Full = err.Error(), errors.As(err, new(*askedError)), errors.Is(err, syscall.ENOSPC)
	}
	return e
}

// An askedError is about what was asked for.
type askedError struct{ error }

func (w *worker) run(ctx context.Context) (outcome string, err error) {
	j := &w.job
	out, err := results.NewWriter(w.File(fileResults), j.UID, j.GID)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	tb, err := testbed.Enter(j.Cache, j.UID, j.GID, &cgroup.Options{Controllers: true, Move: true, Scope: systemd.Scope})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, tb.Close()) }()
	tb.Log, tb.NAT = out.Log, nat.Publish
	if tb.Cgroups != nil {
		j.Machine.CgroupPlace = tb.Cgroups.Place()
		for _, b := range tb.Cgroups.Copied() {
			for i := range j.Machine.Limits {
				if l := &j.Machine.Limits[i]; l.What == b.What && l.Above == b.Above {
					l.Copied = true
				}
			}
		}
	}

	sc := j.Numbered(w.Parts, j.Scenario)
	if sc == nil {
		return "", fmt.Errorf("worker: no scenario %s", j.Scenario)
	}
	guard, err := machine.NewSampler("")
	if err != nil {
		return "", err
	}
	defer guard.Close()
	sc.Trial = stepped(sc.Trial, guard)
	if err := w.openWork(tb, sc); err != nil {
		return "", err
	}
	r := &engine.Runner{Work: tb.Work, Home: cmp.Or(tb.Work, tb.Dir), Scenario: sc, Options: j.Options, Image: j.Image, Seed: j.Manifest.Seed,
		Manifest: &j.Manifest, Write: out.Trial, Samples: out.Samples, Guard: guard.Guard, Progress: w.between,
		Done: j.Done, Before: j.Before, Session: j.Session, FirstTrial: j.First.Trial, FirstBlock: j.First.Block}
	envs, closeAll := w.open(ctx, tb, sc)
	defer func() { err = errors.Join(err, closeAll()) }()
	r.Envs = envs
	earlier := j.Manifest.Cells // of the sessions before
	if err := r.Plan(ctx); err != nil && ctx.Err() == nil {
		return "", &askedError{err}
	}
	if ctx.Err() != nil { // an environment that was told to stop hasn't failed
		j.Manifest.Cells, j.Manifest.Findings = nil, nil
	}
	before := j.Manifest.Kernel
	w.nameKernel(envs)
	if k, want := j.Manifest.Kernel, string(j.Options.KernelDigest); want != "" && k.Digest != "" && k.Digest != want {
		return "", fmt.Errorf("the experiment is about another guest kernel (%s) than %s (%s); name it with --kernel", want, k.Name, k.Digest)
	}
	if err := samePlan(j.Planned, before, &j.Manifest); err != nil && ctx.Err() == nil {
		return "", err
	}
	if err := errors.Join(out.Machine(&j.Machine), out.Manifest(&j.Manifest)); err != nil {
		return "", err
	}
	w.Tell(event{Plan: j.Manifest.Cells, Found: j.Machine.Acceleration})

	outcome, err = r.Run(ctx)
	if outcome != engine.Complete && ctx.Err() != nil {
		outcome = engine.Interrupted
	}
	together(earlier, &j.Manifest, j.Session)
	j.Manifest.Outcome, j.Manifest.Ended = outcome, time.Now().UTC()
	return outcome, errors.Join(err, out.Manifest(&j.Manifest))
}

// stepped plants what a scenario can't reach, where a cell asks for it: that the
// wall clock is set while a trial goes on. The guard is made to see it; the
// machine's clock stays.
func stepped(trial func(context.Context, *bench.T, bench.Cell) error, guard *machine.Sampler) func(context.Context, *bench.T, bench.Cell) error {
	return func(ctx context.Context, t *bench.T, c bench.Cell) error {
		if c.StepClock {
			guard.Step(5 * time.Millisecond)
		}
		return trial(ctx, t, c)
	}
}

// openWork makes the work folder, where the scenario's instances write to one.
func (w *worker) openWork(tb *testbed.Testbed, sc *bench.Scenario) error {
	j := &w.job
	if !slices.ContainsFunc(sc.Cells(j.Options), func(c bench.Cell) bool { return c.Work }) {
		return nil
	}
	dir := j.Options.Work
	if dir == "" {
		dir = usercache.Work(j.Cache)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("work folder: %w", err)
		}
		if err := owner.Courtesy(os.Lchown(dir, j.UID, j.GID)); err != nil {
			return fmt.Errorf("work folder: %w", err)
		}
	}
	if err := tb.OpenWork(dir); err != nil {
		return err
	}
	var err error
	before := j.Manifest.Work
	if j.Manifest.Work, err = testbed.FSType(tb.Work); err == nil && j.Planned != nil && before != "" && before != j.Manifest.Work {
		err = fmt.Errorf("resume: instances wrote to %s then, and would to %s now; name the same folder with --work, or begin a new run", before, j.Manifest.Work)
	}
	return err
}

// between is called between trials.
func (w *worker) between(p engine.Progress) {
	testbed.Reap()
	w.Tell(event{Progress: &p})
	if w.job.Paced {
		<-w.paced
	}
}

// open opens the environments that the scenario's cells need. One that doesn't
// open takes part as a closed one: its cells say why, and the others run.
func (w *worker) open(ctx context.Context, tb *testbed.Testbed, sc *bench.Scenario) (envs []bench.Environment, closeAll func() error) {
	wanted := map[string]bool{sc.Beside: true}
	for _, c := range sc.Cells(w.job.Options) {
		wanted[c.Env] = true
	}
	all := w.Environments(w.job.Options.Environments...)
	linked := Join(w.job.Connect, w.Post, tb, all)
	for _, e := range all {
		if !wanted[e.Name()] {
			continue
		}
		if _, ok := e.(bench.Connecter); ok && linked != nil {
			envs = append(envs, closed{e, linked})
			continue
		}
		if err := e.Open(ctx, tb); err != nil {
			e = closed{e, err}
		}
		envs = append(envs, e)
		w.describe(e)
	}
	return envs, func() error {
		var errs []error
		for _, e := range envs {
			if err := e.Close(); err != nil {
				errs = append(errs, fmt.Errorf("close %s: %w", e.Name(), err))
			}
		}
		return errors.Join(errs...)
	}
}

// describe writes down what an open environment found out about the machine.
func (w *worker) describe(e bench.Environment) {
	m := &w.job.Machine
	if v, ok := e.(bench.Versioner); ok {
		if m.Versions == nil {
			m.Versions = map[string]string{}
		}
		maps.Copy(m.Versions, v.Versions())
	}
	if v, ok := e.(bench.Virtualizer); ok {
		if a := v.Acceleration(); a.Use != "" {
			m.Acceleration = a
		}
	}
}

// nameKernel writes the guests' kernel down, where there are guests: the first row's; a
// row's settings have its own.
func (w *worker) nameKernel(envs []bench.Environment) {
	w.job.Manifest.Kernel = results.Digested{}
	for _, c := range w.job.Manifest.Cells {
		for _, e := range envs {
			k, ok := e.(bench.Virtualizer)
			if !ok || e.Name() != c.Env || c.NotRun != nil || w.job.Manifest.Kernel.Digest != "" {
				continue
			}
			// Check has found it; what fails now fails in each trial, and is
			// said there.
			if d, err := k.Kernel(bench.Spec{Settings: c.Settings}); err == nil {
				w.job.Manifest.Kernel = d
			}
		}
	}
}

// Join gives the environments that can use a foreign libvirt the worker's way to
// it; where c is nil there is none, and the way, if any, is the testbed's to a foreign
// engine.
func Join(c *Connection, post *crew.Post, tb *testbed.Testbed, envs []bench.Environment) error {
	dial, err := post.Dial()
	if err != nil || c == nil {
		tb.Outside = dial
		return err
	}
	for _, e := range envs {
		if x, ok := e.(bench.Connecter); ok {
			x.Connect(c.Name, c.Driver, dial)
		}
	}
	return nil
}

// closed is an environment that couldn't be opened: Check says why.
type closed struct {
	bench.Environment
	err error
}

func (c closed) Check(context.Context, bench.Spec) error { return c.err }
