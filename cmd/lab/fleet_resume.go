package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"lab/bench/fleet"
	"lab/cmd/cli"
)

// What may change when a fleet is resumed, and what may not. The experiment and the bundle
// are what makes its machines comparable: they stay, and a bundle that was removed comes
// back only as the same bytes. The list of machines may be another one, as a name may have
// been wrong or a machine may be broken; what was measured stays in any case.

// fleetResumeCommand is lab fleet resume.
func (a *app) fleetResumeCommand() *cobra.Command {
	var f fleetFlags
	cmd := &cobra.Command{
		Use: "resume DIR [--hosts FILE] [-- OPTION…]",
		Args: func(cmd *cobra.Command, args []string) error {
			if n := cmd.ArgsLenAtDash(); n >= 0 {
				args = args[:n]
			}
			return oneFolder(cmd, args)
		}, ValidArgsFunction: completeFolders,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.checkJobs(); err != nil {
				return err
			}
			x, lock, err := fleet.OpenLocked(args[0])
			if err != nil {
				return fmt.Errorf("fleet resume: %w", err)
			}
			defer lock.Close()
			if options := args[1:]; x.Slurm != nil {
				if len(options) > 0 {
					x.Slurm.Options = options
				}
				if cmd.Flags().Changed("patience") {
					x.Slurm.Patience = f.patience
				}
				if err := fleet.CheckSlurm(x.Slurm.Options); err != nil {
					return cli.Usagef("fleet resume: %w", err)
				}
			} else if len(options) > 0 {
				return cli.Usagef("fleet resume: %s isn't a fleet of Slurm's, whose options are behind --", args[0])
			}
			x.Wait = x.Wait || f.wait
			var c fleet.Change
			if cmd.Flags().Changed("hosts") {
				if c, err = f.changeHosts(x); err != nil {
					return err
				}
			}
			if x.LacksBundle() {
				if err := a.bundleAgain(x); err != nil {
					return err
				}
			}
			if err := x.Save(); err != nil {
				return err
			}
			a.printChange(x, c, f.hosts)
			return a.runFleet(x, f.parallel)
		},
	}
	f.addHosts(cmd)
	f.addRest(cmd)
	cmd.Flags().DurationVar(&f.patience, "patience", 10*time.Minute, "`T` longest wait for nodes that are drained or lost, when nothing else runs")
	return cmd
}

// changeHosts gives a fleet the machines of --hosts.
func (f *fleetFlags) changeHosts(x *fleet.Fleet) (c fleet.Change, err error) {
	names, err := f.machines()
	if err != nil {
		return c, err
	}
	if c, err = x.SetNames(names); err != nil {
		err = cli.Usagef("fleet resume: %w", err)
	}
	return c, err
}

// printChange says what is different with the machines of a file.
func (a *app) printChange(x *fleet.Fleet, c fleet.Change, file string) {
	for _, name := range c.Added {
		sayTo(a.Page, "- %s: new in %s\n", name, file)
	}
	for _, name := range c.Returned {
		sayTo(a.Page, "- %s: in %s again: the rest of it is measured\n", name, file)
	}
	for _, name := range c.Removed {
		sayTo(a.Page, "- %s: no longer in %s: taken out of the fleet, which has no results of it\n", name, file)
	}
	for _, name := range c.Kept {
		sayTo(a.Page, "- %s: no longer in %s: its results stay, and it isn't asked again\n", name, file)
	}
	for _, name := range c.Dirty {
		sayTo(a.Page, "- %s: the lab's folder is still there; fix: %s\n", name, cli.Quote([]string{a.Args[0], "fleet", "clean", x.Dir}))
	}
}

// bundleAgain makes the bundle of a fleet that had it removed. Another one than the other
// machines had would measure something else.
func (a *app) bundleAgain(x *fleet.Fleet) error {
	digest, _, err := a.bundle(x.BundlePath())
	if err == nil && "sha256:"+digest != x.Bundle.Digest {
		err = fmt.Errorf("fleet resume: this lab's bundle isn't the one that the fleet's other machines had; fix: put that one back as %s (%s, %s), or make a fleet of its own for the missing machines, then lab report %s OTHER/SCENARIO/*",
			x.BundlePath(), x.Bundle.Name, x.Bundle.Digest, filepath.Join(x.Dir, "SCENARIO", "*"))
		err = errors.Join(err, os.Remove(x.BundlePath()))
	}
	return err
}
