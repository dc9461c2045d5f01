package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"lab/bench/experiment"
	"lab/bench/results"
	"lab/reports"
)

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
