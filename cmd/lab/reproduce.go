package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"lab/bench"
	"lab/bench/results"
	"lab/bench/runs"
	"lab/cmd/cli"
	"lab/reports"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
	"lab/scenarios"
)

// A second run can't have the same figures, and needn't: the question is whether the
// same statements hold. So the verdicts are compared, each judged anew by the rule that
// the first run had, and a figure that differs is no failure. A digest that differs is:
// other bytes are another experiment.

// reproduceCommand is lab reproduce. What is repeated is what the manifest of the
// original says was asked for; the only flags are those that say where something is
// on this machine.
func (a *app) reproduceCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:  "reproduce DIR",
		Args: oneFolder, ValidArgsFunction: completeFolders,
		RunE: func(_ *cobra.Command, args []string) error { return a.reproduce(args[0], f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.out, "out", "", "`DIR` new folder for the results (default: results/<UTC time>-<scenario>)")
	fl.StringVar(&f.Image, "image", "", "`IMAGE` the original's: the root folder of a file tree, or a name or digest of the store (default: the one saved in the results folder, or the lab's own)")
	fl.StringVar(&f.Kernel, "kernel", "", "`FILE` guest kernel (default: the one saved in the results folder, or the set-up's; also LAB_KERNEL)")
	fl.StringVar(&f.Work, "work", "", "`DIR` folder on the disk that instances write to, if the original had one (default: in the cache)")
	fl.StringVar(&f.Connect, "connect", "", "`URI` libvirt that makes the guests, if the original's were made by one (results don't say where it is)")
	a.WaitFlag(fl)
	completeFlags(cmd)
	return cmd
}

// whatRuns says which commands of a folder's will run.
func whatRuns(w io.Writer, dir string, o bench.Options) {
	argv, here := []string(o.Command), ""
	if o.Prepare != "" {
		here = say(", and before each trial on this machine: %q", o.Prepare)
	}
	if app, err := scenarios.FindApp(o.App); err == nil && strings.Contains(o.App, "{") { // the folder's own, and none of the lab's
		argv = app.Command
		if app.Load.Program != nil {
			here = say(", and in each trial on this machine: %q", app.Load.Program)
		}
	}
	if argv != nil {
		fmt.Fprintln(w, say("lab: %s says what runs as root: %q", dir, argv)+here)
	}
}

// reproduce makes the run again and sets the two side by side. Its statements are
// judged anew from the new figures, and then the outcomes are compared, not the
// figures: on a faster machine all of these differ, and the statements may hold all
// the same.
func (a *app) reproduce(dir string, f runFlags) error {
	old, err := a.reopen("reproduce", "lab reproduce", dir, f, func(*results.Run) error { return f.outIsFree() })
	if err != nil {
		return err
	}
	defer old.end()
	// The new run has a manifest of its own. Of the original's it keeps what was asked
	// for, with its seed: the trials come in the same order.
	original, j := old.Run, old.job
	m := original.Manifest
	now := j.Manifest // what begin found out
	j.Manifest = results.Manifest{Lab: cli.Version(), Command: now.Command, Image: now.Image, Workload: now.Workload, Experiment: m.Experiment,
		Notes: []string{fmt.Sprintf("Made to reproduce run %s of %s.", m.ID, m.Started.UTC().Format("2006-01-02 15:04 MST"))}}
	j.Manifest.Notes = append(j.Manifest.Notes, old.otherLibvirt()...)
	j.Begin(parts, m.Scenario)
	if now.Image.Digest != m.Image.Digest {
		sayTo(a.Note, "lab: the image isn't the original's (%s, and that was %s): nothing will be comparable; fix: --image DIR with the original one\n",
			now.Image.Digest, m.Image.Digest)
	}
	// The folder may be somebody else's, and what it says will run as root: the user is
	// to see what that is.
	whatRuns(a.Note, dir, j.Options)
	if m.Asked.Work != "" && f.Work == "" {
		a.note(say("the original's instances wrote to a folder given with --work, and these will write to the cache; fix: --work DIR"))
	}
	out := f.folder(m.Scenario, j.Manifest.Started)
	s := &supervisor{Supervisor: runs.Supervisor{Job: j, Lock: old.lock, Dir: out, Passage: passage(old.target)}, app: a}
	end, err := s.measure(s.Supervisor.Run)
	// A cell that can't run here, and a failed trial, show in the verdicts.
	if end.Outcome == "" || end.Interrupted {
		return status(end, err)
	}
	again, err := results.Read(out)
	if err != nil {
		return err
	}
	r, err := analysis.Reproduce(original, again)
	if err != nil {
		return err
	}
	p := reports.Reproduction(r)
	if err := errors.Join(keep(out, j, map[string][]byte{"reproduction.md": p.Markdown(msg.Reader())}),
		a.uninterrupted(out, func() error { return reports.WriteRun(again, out, j.UID, j.GID) }), p.Terminal(a.Page, page.OptionsFor(a.Stdout.File))); err != nil {
		return err
	}
	sayTo(a.Page, "\nreport: %s\n", filepath.Join(out, "reproduction.md"))
	if n := r.Count(analysis.Differs); n > 0 {
		return cli.Exit(cli.StatusFailed, nil)
	}
	return status(end, nil)
}
