package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"lab/bench/experiment"
	"lab/bench/results"
	"lab/cmd/cli"
	"lab/reports"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check DIR…",
		Short: "Check that a results folder is complete and unchanged",
		Long: `Read results folders as a report would, and compare every file with the
checksums in SHA256SUMS, as sha256sum -c does; also names files that were added.

Exit status: 0 nothing was changed; 1 something was; 2 bad usage.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("check: which results folder? lab check DIR…")
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(_ *cobra.Command, dirs []string) error {
			var errs []error
			for _, dir := range dirs {
				errs = append(errs, a.check(dir))
			}
			return errors.Join(errs...)
		},
	}
}

func (a *app) check(dir string) error {
	run, err := results.Read(dir)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	wrong, err := reports.CheckSums(dir)
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		return fmt.Errorf("check: %s was changed:\n     %s", dir, reports.Lines(wrong))
	}
	if _, err := experiment.Kept(run); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	trials := map[int]bool{}
	for _, l := range run.Lines {
		trials[l.Trial] = true
	}
	_, err = fmt.Fprintf(a.Page, "%s: complete and unchanged: %s of %s\n", dir, counted(len(trials), "trial"), run.Manifest.Scenario)
	return err
}
