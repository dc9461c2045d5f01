package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"lab/bench/experiment"
	"lab/bench/fleet"
	"lab/bench/request"
	"lab/bench/results"
	"lab/bench/runs"
	"lab/cmd/cli"
)

// A fleet is one experiment on machines other than this one. Four commands are typed
// here, and a fifth runs there:
//
//	run, class  make the folder that a fleet is, with the bundle that its machines get, and
//	            measure (fleet_run.go). A class has an experiment by default, so that a
//	            teacher needs a list of machines and nothing else.
//	resume      asks for what is missing in such a folder (fleet_resume.go)
//	clean       removes what stayed on the machines (fleet_clean.go)
//	work        what ssh or Slurm starts on a machine; hidden from help
//
// The folder is all the memory that there is: no daemon, no database. So whatever ends
// this command, another one goes on, and two can't be at work on one folder (its lock).

// fleetFlags are what lab fleet was told beside the experiment.
type fleetFlags struct {
	runFlags
	hosts, bundle string
	parallel      int
	first         bool // --quick, of a class
	wait          bool
	slurm         bool
	tasks         int
	patience      time.Duration
	options       []string // of sbatch
}

// classExperiment is what a class measures if no file says otherwise.
const classExperiment = "format: 1\ntitle: A class\nscenarios: [startup]\n"

// fleetCommand is lab fleet: one experiment on many machines. What is done on them,
// and how far each is, is package fleet's; here is what is typed and printed.
func (a *app) fleetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "fleet",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return cli.Unknown("command", args[0], commands(cmd))
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.fleetRunCommand(), a.fleetClassCommand(), a.fleetResumeCommand(), a.fleetCleanCommand(), a.fleetWorkCommand())
	return cmd
}

// add gives a command the flags of one that makes a fleet.
func (f *fleetFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVarP(&f.file, "file", "f", "", "`FILE` experiment to run on each machine")
	f.addHosts(cmd)
	fl.StringVar(&f.out, "out", "", "`DIR` new folder for all results (default: results/<UTC time>-fleet)")
	fl.StringVar(&f.bundle, "bundle", "", "`FILE` bundle to copy there (default: this lab's, made anew)")
	f.addRest(cmd)
}

// addHosts gives it --hosts, which resume and clean have as well.
func (f *fleetFlags) addHosts(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.hosts, "hosts", "", "`FILE` machines, one a line, as ssh takes them")
}

// addRest gives it what also a fleet that is resumed may be told anew.
func (f *fleetFlags) addRest(cmd *cobra.Command) {
	cmd.Flags().IntVarP(&f.parallel, "jobs", "j", 64, "`N` machines at a time")
	cmd.Flags().BoolVar(&f.wait, "wait", false, "wait while another lab holds the machine, instead of failing")
}

// fleetRunCommand is lab fleet run: an experiment from a file, on the machines of a list or
// on nodes that Slurm gives.
func (a *app) fleetRunCommand() *cobra.Command {
	var f fleetFlags
	cmd := &cobra.Command{
		Use:  "run -f FILE --hosts FILE | run -f FILE --slurm [-- OPTION…]",
		Args: optionsOfSbatch,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.options = args
			if f.file == "" {
				return cli.Usagef("fleet run: which experiment? fix: -f FILE")
			}
			if err := f.fromFile(cmd); err != nil {
				return err
			}
			return a.newFleet(f)
		},
	}
	f.add(cmd)
	f.addSlurm(cmd)
	completeFlags(cmd)
	return cmd
}

// optionsOfSbatch takes words behind -- alone.
func optionsOfSbatch(cmd *cobra.Command, args []string) error {
	if n := cmd.ArgsLenAtDash(); len(args) > 0 && n != 0 {
		return noArgs(cmd, args)
	}
	return nil
}

// addSlurm gives it the flags of a fleet whose machines Slurm finds.
func (f *fleetFlags) addSlurm(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.slurm, "slurm", false, "through Slurm instead of ssh, an array job with a node for each task; sbatch gets the options behind --")
	cmd.Flags().IntVar(&f.tasks, "tasks", 0, "`N` machines that Slurm is asked for (default: all of the partition)")
	cmd.Flags().DurationVar(&f.patience, "patience", 10*time.Minute, "`T` longest wait for nodes that are drained or lost, when nothing else runs")
}

// fleetClassCommand is lab fleet class: what a whole class measures at once, startup if no
// file says otherwise.
func (a *app) fleetClassCommand() *cobra.Command {
	var f fleetFlags
	cmd := &cobra.Command{
		Use:  "class --hosts FILE",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			text := classExperiment
			if f.first {
				text += "quick: true\n"
			}
			switch {
			case f.file != "" && f.first:
				return cli.Usagef("fleet class: --quick is said in %s: quick: true", f.file)
			case f.file != "":
				err = f.fromFile(cmd)
			default:
				f.experiment, err = experiment.Parse("class.yaml", []byte(text), &f.Request)
			}
			if err != nil {
				return err
			}
			return a.newFleet(f)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.first, "quick", false, "a first look: few trials")
	completeFlags(cmd)
	return cmd
}

// fleetWorkCommand is the lab's part on a machine of a fleet. Whoever asked for it holds
// its standard input open, and it ends with that.
func (a *app) fleetWorkCommand() *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use: "work DIR", Hidden: true,
		Args: oneFolder,
		RunE: func(cmd *cobra.Command, args []string) error {
			x, err := experiment.Read(filepath.Join(args[0], results.ExperimentFile), new(request.Request))
			if err != nil {
				return err
			}
			self, err := os.Executable()
			if err != nil {
				return err
			}
			stop, cancel := signal.NotifyContext(context.Background(), runs.Signals()...)
			defer cancel()
			go func() {
				var b [512]byte
				for {
					if _, err := a.Stdin.Read(b[:]); err != nil {
						cancel()
						return
					}
				}
			}()
			// What nobody hears may be said all the same: the run goes on to its next trial.
			signal.Ignore(syscall.SIGPIPE)
			t := &fleet.Task{Dir: args[0], Lab: self, Scenarios: x.Scenarios, Work: x.Work, Wait: wait}
			if t.Run(stop, a.Stdout.File) != nil {
				return cli.Exit(cli.StatusFailed, nil) // it was said
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait while another lab holds the machine, instead of failing")
	return cmd
}

// machines reads the file of --hosts.
func (f *fleetFlags) machines() ([]string, error) {
	if f.hosts == "" {
		return nil, cli.Usagef("fleet: which machines? fix: --hosts FILE, one a line, as ssh takes them")
	}
	hosts, err := fleet.ReadHosts(f.hosts)
	if err != nil {
		return nil, cli.Usagef("--hosts: %w", err)
	}
	return hosts, nil
}

// checkExperiment refuses what names places of this machine, and what this lab doesn't
// have. Which processors there are is each machine's own.
func (f *fleetFlags) checkExperiment() error {
	for _, p := range f.Fields() {
		if p.Place && p.Key != "work" && f.experiment.Has(p.Key) {
			return userError(f.experiment.At(&request.Error{At: []any{p.Key}, Err: errors.New("it is this machine's, and the others have the bundle's; fix: leave it out")}))
		}
	}
	copied := f.runFlags
	copied.CPUs, copied.Work = "", ""
	if err := copied.check(); err != nil {
		return userError(f.experiment.At(err))
	}
	return nil
}

// checkJobs refuses a number of machines at a time that would be none.
func (f *fleetFlags) checkJobs() error {
	if f.parallel < 1 {
		return cli.Usagef("--jobs %d: at least one", f.parallel)
	}
	return nil
}
