//go:build !lean

package main

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"lab/bench/results"
	"lab/bench/runs"
	"lab/reports"
)

func (a *app) reproduceCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "reproduce DIR",
		Short: "Do a run once more here, and judge its findings again",
		Long: `Do what a results folder says once more on this machine: the same scenario,
environments, settings, numbers of trials and seed. Then judge each of the
original's findings by both runs:

  agrees          both came to the same outcome
  differs         it holds in the one and doesn't in the other; on the same
                  machine also: a median that it rests on has moved by over 10 %
  can't be told   one of the two is undecided, or couldn't be measured
  not comparable  another image, workload or guest kernel; KVM against emulation

Where lab image save put the image and the guest kernel beside the original, and
this machine's own are other ones, the saved ones are run, as root: reproduce
only folders of people whose programs you would run.

Where a foreign libvirt made the original's guests, name it once more with
--connect; results don't say on whose machine it was.

The original stays as it is. The new folder has reproduction.md beside its report.

Exit status: 0 nothing differs; 1 something differs, or failed; 2 bad usage;
3 nothing could be run; 130 interrupted.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("reproduce: which results folder? lab reproduce DIR")
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.reproduce(args[0], f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.out, "out", "", "`DIR` for the results; must not exist (default: results/<UTC time>-<scenario>)")
	fl.StringVar(&f.image, "image", "", "`DIR`, root folder of the original's file tree (default: the lab's own, or the one saved in DIR)")
	fl.StringVar(&f.kernel, "kernel", "", "`FILE` of the guest kernel (default: the set-up's, or the one saved in DIR; also LAB_KERNEL)")
	fl.StringVar(&f.work, "work", "", "`DIR` on the file system that instances write to, where the original's did (default: the cache's)")
	fl.StringVar(&f.connect, "connect", "", "`URI` of the libvirt that makes the guests, where one made the original's (results don't say on whose machine)")
	completeFlags(cmd)
	return cmd
}

func (a *app) reproduce(dir string, f runFlags) error {
	old, err := a.again("reproduce", "lab reproduce", dir, f, func(*results.Run) error { return f.outIsFree() })
	if err != nil {
		return err
	}
	defer old.end()
	original, j := old.Run, old.job
	m := original.Manifest
	now := j.Manifest // what begin found out
	asked := *m.Asked
	asked.Work = f.work != ""
	j.Manifest = results.Manifest{Format: results.Format, Lab: labVersion(), Seed: m.Seed, Quick: m.Quick, Accel: m.Accel, Asked: &asked, Command: now.Command,
		Image: now.Image, Workload: now.Workload, Experiment: m.Experiment,
		Notes: []string{fmt.Sprintf("Made to reproduce run %s of %s.", m.ID, m.Started.UTC().Format("2006-01-02 15:04 MST"))}}
	j.Manifest.Notes = append(j.Manifest.Notes, old.otherLibvirt()...)
	j.Begin(parts, m.Scenario)
	if now.Image.Digest != m.Image.Digest {
		fmt.Fprintf(a.stderr, "lab: the image isn't the original's (%s, and that was %s): nothing will be comparable; name the same one with --image\n",
			now.Image.Digest, m.Image.Digest)
	}
	if m.Asked.Work && f.work == "" {
		fmt.Fprintln(a.stderr, "lab: the original's instances wrote to a folder named with --work, and these will below the cache; name another with --work")
	}
	out := f.folder([]string{m.Scenario}, m.Scenario, j.Manifest.Started)
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
	r, err := reports.Reproduce(original, again)
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := r.Markdown(&page); err != nil {
		return err
	}
	if err := errors.Join(keep(out, j, map[string][]byte{"reproduction.md": page.Bytes()}),
		reports.WriteRun(again, out, j.UID, j.GID), r.Terminal(a.stdout, reports.OptionsFor(a.stdout))); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "\nreport: %s\n", filepath.Join(out, "reproduction.md"))
	if n := r.Count(reports.Differs); n > 0 {
		return &statusError{statusFailed, nil}
	}
	return status(end, nil)
}
