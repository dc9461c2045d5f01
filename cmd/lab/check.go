package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"lab/bench/experiment"
	"lab/bench/results"
	"lab/reports"
)

// checkCommand is lab check. It needs no root and no machine like the one that
// measured: whoever was sent a results folder can look whether it is what was sent.
func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:  "check DIR…",
		Args: someFolders, ValidArgsFunction: completeFolders,
		RunE: func(_ *cobra.Command, dirs []string) error {
			var errs []error
			for _, dir := range dirs {
				errs = append(errs, a.check(dir))
			}
			return errors.Join(errs...)
		},
	}
}

// check reads a folder as a report does, which finds what is damaged; compares all
// files with SHA256SUMS, which finds what was changed; and looks whether the
// experiment file is the one that the manifest names by its digest.
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
	// A trial is several lines, one a value.
	trials := map[int]bool{}
	for _, l := range run.Lines {
		trials[l.Trial] = true
	}
	return tell(a.Page, "%s: complete and unchanged: %s of %s\n", dir, counted(len(trials), "trials"), run.Manifest.Scenario)
}
