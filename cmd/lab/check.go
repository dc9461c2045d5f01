package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"lab/bench/experiment"
	"lab/bench/results"
	"lab/cmd/cli"
	"lab/reports/evidence"
	"lab/reports/page"
)

// Two kinds of readers come with folders of others: a reviewer with one, who wants to know
// whether it is what was sent, and a teacher with thirty, who wants to know which to open
// first. Both get the same points for the same reasons, from package evidence. The exit
// status is about soundness only: few points are no failure, a changed file is.

// checkCommand is lab check. It needs no root and no machine like the one that
// measured: whoever was sent a results folder can look whether it is what was sent, and
// a teacher with thirty of them what each is worth as evidence.
func (a *app) checkCommand() *cobra.Command {
	var format, out string
	formats := []string{"text", "json"}
	cmd := &cobra.Command{
		Use:  "check DIR…",
		Args: someFolders, ValidArgsFunction: completeFolders,
		RunE: func(_ *cobra.Command, dirs []string) error {
			if !slices.Contains(formats, format) {
				return cli.Unknown("--format", format, formats)
			}
			return a.check(dirs, format == "json", out)
		},
	}
	cmd.Flags().StringVar(&format, "format", formats[0], "`KIND` text or json")
	cmd.Flags().StringVar(&out, "out", "", "`DIR` new folder for grades.md, grades.json and class.html")
	completeFlags(cmd)
	cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// check grades folders and prints the grades. Its error says what is wrong with those
// that are broken, changed or somebody else's; few points are no error.
func (a *app) check(dirs []string, json bool, out string) error {
	c := evidence.Grade(dirs, func(run *results.Run) error {
		if _, err := experiment.Kept(run); err != nil {
			return fmt.Errorf("check: %w", err)
		}
		return nil
	})
	if out != "" {
		if err := a.writeNew(out, c.Files); err != nil {
			return err
		}
	}
	var wrong []error
	for _, f := range c.Folders {
		if err := f.Err(); err != nil {
			wrong = append(wrong, err)
		}
	}
	err := errors.Join(wrong...)
	if len(dirs) > 1 && err != nil { // each is named in what is printed
		err = fmt.Errorf("check: %d of %d folders are broken, changed or a copy", len(wrong), len(dirs))
	}
	if json {
		data, err2 := c.JSON()
		if err2 == nil {
			_, err2 = a.Stdout.Write(data)
		}
		return errors.Join(err2, err)
	}
	if f := c.Folders[0]; len(dirs) == 1 && f.Sound() {
		made := map[int]bool{} // a trial is several lines, one a value
		for _, l := range f.Run.Lines {
			made[l.Trial] = true
		}
		sayTo(a.Page, "%s: complete and unchanged: %s of %s\n\n", dirs[0], counted(len(made), "trials"), f.Run.Manifest.Scenario)
	}
	return errors.Join(c.Page().Terminal(a.Page, page.OptionsFor(a.Stdout.File)), err)
}
