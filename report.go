//go:build !lean

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"lab/bench/results"
	"lab/reports"
)

func (a *app) reportCommand() *cobra.Command {
	var json bool
	cmd := &cobra.Command{
		Use:   "report DIR…",
		Short: "Draw the report of results folders again",
		Long: `Draw the report of results folders again: the table here, and in each folder
report.md, plots/, trials.csv, bench.txt and summary.json. Nothing is measured,
and the machine that it was measured on isn't needed.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("report: which results folder? lab report DIR…")
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(_ *cobra.Command, dirs []string) error {
			sweep()
			var errs []error
			for _, dir := range dirs {
				// Who owns the folder owns what is put into it.
				errs = append(errs, a.report(dir, -1, -1, json))
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().BoolVar(&json, "json", false, "print summary.json instead of the table")
	return cmd
}

// report writes a results folder's report, prints its table, or its summary as
// JSON, and says where the rest is.
func (a *app) report(dir string, uid, gid int, json bool) error {
	run, err := results.Read(dir)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := reports.WriteRun(run, dir, uid, gid); err != nil {
		return err
	}
	if json {
		summary, err := os.ReadFile(filepath.Join(dir, "summary.json"))
		if err != nil {
			return err
		}
		_, err = a.stdout.Write(summary)
		return err
	}
	if err := reports.Terminal(a.stdout, run, reports.OptionsFor(a.stdout)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "\nreport: %s\n", filepath.Join(dir, "report.md"))
	if plots, _ := filepath.Glob(filepath.Join(dir, "plots", "*.png")); len(plots) > 0 {
		_, err = fmt.Fprintf(a.stdout, "plots:  %s\n", strings.Join(plots, ", "))
	}
	return err
}
