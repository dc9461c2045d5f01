//go:build !lean

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/experiment"
	"lab/bench/results"
	"lab/bench/runs"
	"lab/bench/usercache"
	"lab/reports/serve"
	"lab/scenarios"
	"lab/vm/client"
)

// runFlags are what lab run was asked.
type runFlags struct {
	envs, variant []string
	runs, warmup  int
	sessions      int
	seed          uint64
	out           string
	accel         string
	anyway        bool
	quick         bool
	live          string
	image         string
	kernel        string
	connect       string
	json          bool
	extent        extentFlags
	resume        string
	cpus, work    string
	budget        string
	file          string
	predict       bool

	experiment *experiment.File // that file names
}

// accels are what a VM may be run with; auto is KVM where it is usable.
var accels = []string{"auto", "kvm", "tcg"}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SCENARIO… [flags] | run -f FILE | run --resume DIR",
		Short: "Measure a scenario",
		Long: `lab list has the scenarios and environments. lab explain NAME says more about
one of them, with what --variant can set.

The trials of all environments are made in an order that is shuffled from the
seed. Each trial is written down at once. The first Ctrl-C ends the run with a
report of what was measured; the second ends it at once. Nothing of the run is
left on the machine but its results folder.

An experiment file (-f, YAML) takes the place of scenarios and flags, and is
copied into each results folder. Its keys:
  ` + strings.Join(experiment.Keys(), ", ") + `
The only flags that can be given with it, unless the file says the same, are:
  --` + strings.Join(besideFile[1:], ", --") + `

Exit status: 0 all was measured; 1 a trial failed or an environment couldn't
run; 2 bad usage; 3 nothing could be run, or not root; 130 interrupted.`,
		Example: `  sudo lab run startup
  sudo lab run startup --quick --env host,container
  sudo lab run startup --env container -r 200 --seed 7 --out /tmp/mine
  sudo lab run -f paper.yaml
  lab run startup -r 500 --predict`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && (f.resume != "" || f.file != "") { // the folder's, the file's
				return nil
			}
			if len(args) == 0 {
				return usagef("run: which scenario? there are: %s", strings.Join(scenarioNames(), ", "))
			}
			for _, name := range args {
				if scenarios.Find(name) == nil {
					return unknown("scenario", name, scenarioNames())
				}
			}
			return nil
		},
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.resume != "" {
				return a.resume(cmd, args, f)
			}
			if f.file != "" {
				var err error
				if args, err = f.fromFile(cmd, args); err != nil {
					return err
				}
			}
			if f.predict {
				return a.predict(cmd, args, f)
			}
			return a.run(cmd, args, f)
		},
	}
	fl := cmd.Flags()
	fl.StringSliceVar(&f.envs, "env", nil, "`ENV,…` environments, in the report's order (default: the scenario's)")
	fl.IntVarP(&f.runs, "runs", "r", 0, "`N` trials of each row (default: the scenario's)")
	fl.IntVarP(&f.warmup, "warmup", "w", 0, "`N` uncounted trials before them (default: the scenario's)")
	fl.Uint64Var(&f.seed, "seed", 0, "`N` seed of the trials' order (default: a new one)")
	fl.StringVar(&f.out, "out", "", "`DIR` new folder for the results (default: results/<UTC time>-<scenario>)")
	fl.StringSliceVar(&f.variant, "variant", nil, "`NAME=VALUE,…` settings; several values of a name make a row of each: start=cold,start=restored")
	fl.StringVar(&f.accel, "accel", "auto", "`KIND` what runs a guest's instructions: "+strings.Join(accels, ", "))
	fl.BoolVar(&f.anyway, "anyway", false, "with --accel kvm: run even if this machine's KVM was found unusable; every table marks such rows")
	fl.BoolVar(&f.quick, "quick", false, "a first look: few trials, and shorter ones (--predict says how long)")
	fl.StringVar(&f.live, "live", "", "`[HOST:]PORT` show the report in a browser while trials come in (default: a free port of this machine alone)")
	fl.Lookup("live").NoOptDefVal = serve.Loopback
	fl.StringVar(&f.image, "image", "", "`DIR` root folder of the file tree to run in (default: the lab's own)")
	fl.StringVar(&f.kernel, "kernel", "", "`FILE` guest kernel (default: the set-up's; also LAB_KERNEL)")
	fl.StringVar(&f.connect, "connect", "", connectHelp)
	fl.BoolVar(&f.json, "json", false, "print summary.json instead of the table")
	f.extent.add(fl)
	fl.StringVar(&f.cpus, "cpus", "", "`LIST` processors to pin instances to, such as 0-1,3; a guest gets one for each")
	fl.StringVar(&f.work, "work", "", "`DIR` folder on the disk that instances write to, if the scenario uses one (default: in the cache)")
	fl.StringVar(&f.budget, "disk-budget", "", "`SIZE` the most that a run may have on the disk at a time, such as 2G; its results don't count")
	fl.IntVar(&f.sessions, "sessions", 1, "`N` make the whole set N times, each time in a new testbed, to see how sessions differ")
	fl.StringVar(&f.resume, "resume", "", "`DIR` go on with an interrupted run")
	fl.StringVarP(&f.file, "file", "f", "", "`FILE` experiment to run, in place of scenarios and flags")
	fl.BoolVar(&f.predict, "predict", false, "print how many trials there would be and how long they would take; run nothing")
	a.waitFlag(fl)
	further(fl, "warmup", "accel", "kernel", "connect", "anyway", "max-time", "precision", "strict", "sessions", "cpus", "disk-budget", "wait")
	completeFlags(cmd)
	return cmd
}

func scenarioNames() []string {
	var out []string
	for _, s := range scenarios.All() {
		out = append(out, s.Name)
	}
	return out
}

func (a *app) run(cmd *cobra.Command, names []string, f runFlags) error {
	base, err := f.job(cmd)
	if err != nil {
		return err
	}
	if err := f.used(names, base); err != nil {
		return err
	}
	if err := a.needRoot("lab run", statusNothing); err != nil {
		return err
	}
	var target *client.Target
	if f.connect != "" {
		if target, err = reach(f.connect); err != nil {
			if _, usage := err.(*statusError); !usage {
				err = &statusError{statusNothing, err}
			}
			return err
		}
		base.Connect = &runs.Connection{Name: target.Name, Driver: target.Driver}
		base.Manifest.Asked.Connect = target.Name
	}
	lock, end, err := a.begin(base, f.image)
	if err != nil {
		return err
	}
	defer end()
	if err := f.rightImage(base.Manifest.Image.Digest); err != nil {
		return &statusError{statusNothing, err}
	}
	var last error
	for _, name := range names {
		j := *base
		j.Begin(parts, name)
		s := &supervisor{Supervisor: runs.Supervisor{Job: &j, Lock: lock, Dir: f.folder(names, name, j.Manifest.Started), Passage: passage(target)}, app: a, json: f.json, connect: f.connect, live: f.live}
		err := s.run()
		if err != nil {
			last = err
		}
		if e, ok := err.(*statusError); ok && e.status == statusInterrupted {
			break
		}
	}
	return last
}

// outIsFree refuses a results folder that is there. results.Create does so, too;
// here nothing was done yet.
func (f *runFlags) outIsFree() error {
	if f.out == "" {
		return nil
	}
	if _, err := os.Lstat(f.out); err == nil {
		return &statusError{statusFailed, fmt.Errorf("results folder %s exists, and results are never overwritten; fix: another name for --out", f.out)}
	}
	return nil
}

// folder is where a scenario's results go.
func (f *runFlags) folder(names []string, name string, t time.Time) string {
	switch {
	case f.out == "":
		return filepath.Join("results", t.Format("20060102T150405Z")+"-"+name)
	case len(names) > 1:
		return filepath.Join(f.out, name)
	}
	return f.out
}

// job checks what was asked; its errors are the user's.
func (f *runFlags) job(cmd *cobra.Command) (*runs.Job, error) {
	j := &runs.Job{Runs: f.runs, Warmup: -1}
	j.UID, j.GID = usercache.Owner()
	given := cmd.Flags().Changed
	if given("runs") && (f.runs < 1 || f.runs > runs.MaxTrials) {
		return nil, usagef("--runs %d: from 1 to %d", f.runs, runs.MaxTrials)
	}
	if given("warmup") {
		if j.Warmup = f.warmup; f.warmup < 0 || f.warmup > runs.MaxTrials {
			return nil, usagef("--warmup %d: from 0 to %d", f.warmup, runs.MaxTrials)
		}
	}
	if !given("seed") {
		f.seed = uint64(rand.Uint32()) // short enough to be typed again
	}
	envs := environments()
	var asked []bench.Environment
	j.Options = bench.Options{Known: known(), Image: f.image, Quick: f.quick, Envs: split(f.envs)}
	for _, name := range j.Options.Envs {
		e, err := environment(envs, name)
		if err != nil {
			return nil, err
		}
		asked = append(asked, e)
	}
	if given("env") && len(asked) == 0 {
		return nil, usagef("--env: which? there are: %s", strings.Join(environmentNames(), ", "))
	}
	if len(asked) == 0 {
		asked = envs
	}
	variants, err := parseVariants(f.variant, asked, nil)
	if err != nil {
		return nil, err
	}
	j.Options.Variant = map[string]string{}
	for k, vs := range variants {
		if len(vs) == 1 {
			j.Options.Variant[k] = vs[0]
			continue
		}
		if j.Options.Vary == nil {
			j.Options.Vary = map[string][]string{}
		}
		j.Options.Vary[k] = vs
	}
	if given("accel") {
		if !slices.Contains(accels, f.accel) {
			return nil, unknown("--accel", f.accel, accels)
		}
		j.Options.Variant["accel"] = f.accel // environments without that setting leave it out
		delete(j.Options.Vary, "accel")
	}
	if f.anyway {
		if f.accel != "kvm" {
			return nil, usagef("--anyway is for --accel kvm")
		}
		j.Options.Variant["anyway"] = "yes"
	}
	kernel, err := kernelFile(f.kernel)
	if err != nil {
		return nil, err
	}
	if kernel != "" {
		j.Options.Variant["kernel"] = kernel
	}
	if f.connect != "" {
		if _, err := client.ParseTarget(f.connect); err != nil {
			return nil, usagef("--%w", err)
		}
	}
	if f.cpus != "" {
		if err := cgroup.CheckCPUSet(f.cpus); err != nil {
			return nil, usagef("--cpus %q: %w", f.cpus, err)
		}
	}
	j.Options.CPUs = f.cpus
	if j.Work, err = workDir(f.work); err != nil {
		return nil, err
	}
	if f.budget != "" {
		if j.Budget, err = bench.ParseSize(f.budget); err != nil {
			return nil, usagef("--disk-budget %q: %w", f.budget, err)
		}
	}
	if err := f.outIsFree(); err != nil {
		return nil, err
	}
	if err := f.extent.check(given, j); err != nil {
		return nil, err
	}
	if given("sessions") && (f.sessions < 1 || f.sessions > runs.MaxSessions) {
		return nil, usagef("--sessions %d: from 1 to %d", f.sessions, runs.MaxSessions)
	}
	if f.sessions > 1 {
		if j.Sessions = f.sessions; j.Extent.Precision > 0 || j.Extent.MaxTime > 0 {
			return nil, usagef("--sessions repeats the same set each time, and --precision and --max-time change it; fix: leave one of them out")
		}
	}
	j.Manifest = results.Manifest{Format: results.Format, Lab: labVersion(), Seed: f.seed, Quick: f.quick, Accel: f.accel,
		Asked: &results.Asked{Envs: j.Options.Envs, Variant: j.Asked(), Vary: j.Options.Vary, Runs: j.Runs, Warmup: j.Warmup,
			Precision: j.Extent.Precision, MaxTime: j.Extent.MaxTime.Seconds(), Strict: j.Extent.Strict, CPUs: f.cpus, DiskBudget: j.Budget, Work: j.Work != "", Sessions: j.Sessions}}
	if x := f.experiment; x != nil {
		j.Manifest.Experiment, j.Experiment, j.KernelDigest = &x.Digested, x.Data, x.KernelDigest
	}
	return j, nil
}
