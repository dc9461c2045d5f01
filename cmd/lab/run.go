package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lab/bench"
	"lab/bench/experiment"
	"lab/bench/owner"
	"lab/bench/request"
	"lab/bench/runs"
	"lab/cmd/cli"
	"lab/reports/serve"
	"lab/scenarios"
	"lab/vm/client"
)

// What is typed, what a file says and what an earlier folder asked for all become the
// same request, and go the same way from there: job, lock, supervisor, report. Only
// what isn't part of the question is a flag of this file's own: where results go, and
// how they are shown. A flag that changes what is measured is a field of
// request.Request, or it couldn't be repeated.

// runFlags are what lab run was told: what is asked of the run, and what isn't
// part of it: where results go, and how they are shown.
type runFlags struct {
	request.Request
	out, live, resume, file, guess string
	only                           string // scenario of the file's
	json, predict                  bool
	exports                        exports

	experiment *experiment.File // that file names
	some       []string         // environments that a group's name stands for
	gather     *gathering       // the scenarios' results come to one page; nil: each has its own alone
	paperApp   bool             // a paper's file names the application
}

// A gathering is a run of several scenarios in folders below one. Those that are there
// are taken over. A folder is named as its scenario; folder is another name of a run's of
// one scenario. once is Options.EmulatedOnce.
type gathering struct {
	folder string
	once   bool
}

// newFolder is the default name of a folder that several runs are in.
func newFolder(name string) string {
	return filepath.Join("results", time.Now().UTC().Format("20060102T150405Z")+"-"+name)
}

// runCommand is lab run, the heart of it. The flags of what is asked for are made
// from the fields of request.Request, so that a flag, a key of an experiment file and
// a line in the manifest can't come to mean different things.
func (a *app) runCommand() *cobra.Command {
	f := runFlags{exports: exports{}}
	cmd := &cobra.Command{
		Use: "run SCENARIO… [flags] | run claims [flags] | run command [flags] -- CMD [ARG…] | run -f FILE | run --resume DIR",
		Args: func(cmd *cobra.Command, args []string) error {
			// What stands behind -- is the workload of the scenario command, with its own
			// flags.
			if n := cmd.ArgsLenAtDash(); n >= 0 {
				if f.resume != "" || f.file != "" {
					return cli.Usagef("run: a command after -- can't be given with --resume or -f, which say what is measured; fix: leave it out")
				}
				args, f.Command = args[:n], args[n:]
			}
			if len(args) == 0 && (f.resume != "" || f.file != "") { // the folder's, the file's
				return nil
			}
			if len(args) == 0 {
				return cli.Usagef("run: which scenario? there are: %s", strings.Join(scenarioNames(), ", "))
			}
			var err error
			f.Scenarios, f.gather, err = a.onClaims(args)
			return err
		},
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.resume != "" {
				return a.resume(cmd, f)
			}
			if f.file != "" {
				if err := f.fromFile(cmd); err != nil {
					return err
				}
				if slices.Contains(f.Scenarios, f.only) { // as lab fleet has it
					narrow(&f.Request, f.only)
				}
			}
			switch {
			case f.gather != nil && f.predict:
				return a.predict(append([]runFlags{f}, f.furtherRuns()...)...)
			case f.gather != nil:
				return a.runClaims(f)
			case f.predict:
				return a.predict(f)
			}
			return a.run(f)
		},
	}
	fl := cmd.Flags()
	requestFlags(fl, &f.Request)
	fl.Lookup("env").Usage = strings.Replace(fl.Lookup("env").Usage, " (default", ", or "+strings.Join(groupNames(), ", ")+" (default", 1)
	fl.StringVar(&f.out, "out", "", "`DIR` new folder for the results (default: results/<UTC time>-<scenario>)")
	fl.StringVar(&f.live, "live", "", "`[HOST:]PORT` show the report in a browser while trials come in (default: a free port of this machine alone)")
	fl.Lookup("live").NoOptDefVal = serve.Loopback
	fl.BoolVar(&f.json, "json", false, "print summary.json instead of the table")
	fl.StringVar(&f.resume, "resume", "", "`DIR` go on with an interrupted run")
	fl.StringVarP(&f.file, "file", "f", "", "`FILE` experiment to run, in place of scenarios and flags")
	fl.StringVar(&f.only, "only", "", "`SCENARIO` the one to run of the file's")
	fl.Lookup("only").Hidden = true
	fl.StringVar(&f.guess, "guess", "", "`FILE` guess to keep with the results, or none (default: the one that lab guess wrote)")
	fl.BoolVar(&f.predict, "predict", false, "print how many trials there would be and how long they would take; run nothing")
	f.exports.flags(fl)
	a.WaitFlag(fl)
	cli.Further(fl, "wait")
	completeFlags(cmd)
	return cmd
}

// scenarioNames are the scenarios that can be typed. The parts of a calibration are
// no such ones.
func scenarioNames() []string {
	var out []string
	for _, s := range scenarios.All() {
		out = append(out, s.Name)
	}
	return out
}

// run makes a run of each scenario that was asked for, one after another, in a
// results folder each. The machine is locked from the first to the last. A run that
// failed doesn't keep the next one from being made; Ctrl-C does.
func (a *app) run(f runFlags) error {
	// What the user typed is judged before root is asked for, and before anything is
	// made: a typing error takes a millisecond.
	base, err := f.job()
	if err != nil {
		return err
	}
	if err := refuseUnused(base.Options); err != nil {
		return err
	}
	if err := f.appImage(); err != nil {
		return cli.Exit(cli.StatusNothing, err)
	}
	guesses, err := f.guesses()
	if err != nil {
		return err
	}
	if err := a.NeedRoot("lab run", cli.StatusNothing); err != nil {
		return err
	}
	if err := a.fetchPackages(&f); err != nil {
		return cli.Exit(cli.StatusNothing, err)
	}
	// A foreign libvirt is tried once, here, where the user's keys and the machine's
	// network are. The worker has neither.
	var target *client.Target
	if f.Connect != "" {
		if target, err = reach(f.Connect); err != nil {
			if _, usage := err.(*cli.StatusError); !usage {
				err = cli.Exit(cli.StatusNothing, err)
			}
			return err
		}
		connect(base, target)
	}
	lock, end, err := a.begin(base)
	if err != nil {
		return err
	}
	defer end()
	if err := f.rightImage(base.Manifest.Image.Digest); err != nil {
		return cli.Exit(cli.StatusNothing, err)
	}
	// Each scenario has a job of its own, a copy of what all have in common.
	var last error
	for i, name := range f.Scenarios {
		if f.gather != nil {
			dir := f.folder(name, time.Time{})
			if done, err := taken(dir, name, f.Quick); err != nil {
				last = err
				continue
			} else if done {
				sayTo(a.Page, "%s: measured already: %s\n", name, dir)
				continue
			}
		}
		j := *base
		if !takesApp(name) {
			j.Options.App = "" // that of another scenario
		}
		j.Begin(parts, name)
		s := &supervisor{Supervisor: runs.Supervisor{Job: &j, Lock: lock, Dir: f.folder(name, j.Manifest.Started), Passage: passage(target)}, app: a, json: f.json, connect: f.Connect, live: f.live}
		done := a.takeGuess(&j, guesses[i], s.Dir)
		err := s.run()
		done()
		if len(f.Scenarios) == 1 {
			if wrong := a.export(f.exports, s.Dir); wrong != nil {
				err = errors.Join(err, wrong)
			}
		}
		if err != nil {
			last = err
		}
		if e, ok := err.(*cli.StatusError); ok && e.Status == cli.StatusInterrupted {
			break
		}
	}
	return last
}

// outIsFree refuses a results folder that is there. results.Create does so, too;
// here nothing was done yet.
func (f *runFlags) outIsFree() error {
	if f.out == "" || f.gather != nil { // what is there is taken over
		return nil
	}
	if _, err := os.Lstat(f.out); err == nil {
		return cli.Exit(cli.StatusFailed, fmt.Errorf("results folder %s exists, and results are never overwritten; fix: another name for --out", f.out))
	}
	return nil
}

// folder is where a scenario's results go.
func (f *runFlags) folder(name string, t time.Time) string {
	switch {
	case f.out == "":
		return filepath.Join("results", t.Format("20060102T150405Z")+"-"+name)
	case f.gather != nil && f.gather.folder != "":
		return filepath.Join(f.out, f.gather.folder)
	// Several runs need a folder each, below the one that was named.
	case len(f.Scenarios) > 1 || f.gather != nil:
		return filepath.Join(f.out, name)
	}
	return f.out
}

// job checks what was asked; its errors are the user's.
func (f *runFlags) job() (*runs.Job, error) {
	j := &runs.Job{}
	j.UID, j.GID = owner.IDs()
	err := f.check()
	if err != nil {
		if f.experiment != nil {
			err = f.experiment.At(err)
		}
		return nil, userError(err)
	}
	if err := f.outIsFree(); err != nil {
		return nil, err
	}
	// Without --seed the order of the trials is another one each time; it is recorded
	// all the same, so that each run can be repeated.
	if f.Seed == nil {
		seed := uint64(rand.Uint32()) // short enough to be typed again
		f.Seed = &seed
	}
	j.Options = bench.Options{Known: known(f.Environments...), Some: f.some, EmulatedOnce: f.gather != nil && f.gather.once, Request: f.Request}
	j.Manifest.Lab = cli.Version()
	if x := f.experiment; x != nil {
		j.Manifest.Experiment, j.Experiment = &x.Digested, x.Data
	}
	return j, nil
}
