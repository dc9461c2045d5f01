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
			x, err := fleet.Open(args[0])
			if err != nil {
				return fmt.Errorf("fleet resume: %w", err)
			}
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
			lock, err := x.Lock()
			if err != nil {
				return err
			}
			defer lock.Close()
			if cmd.Flags().Changed("hosts") {
				if err := a.changeHosts(x, &f); err != nil {
					return err
				}
			}
			return a.runFleet(x, f.parallel)
		},
	}
	f.addHosts(cmd)
	f.addRest(cmd)
	cmd.Flags().DurationVar(&f.patience, "patience", 10*time.Minute, "`T` longest wait for nodes that are drained or lost, when nothing else runs")
	return cmd
}

// changeHosts gives a fleet the machines of --hosts, and says what is different.
func (a *app) changeHosts(x *fleet.Fleet, f *fleetFlags) error {
	names, err := f.machines()
	if err != nil {
		return err
	}
	c, err := x.SetNames(names)
	if err != nil {
		return cli.Usagef("fleet resume: %w", err)
	}
	if len(c.Added) > 0 {
		if err := a.bundleAgain(x); err != nil {
			return err
		}
	}
	if err := x.Save(); err != nil {
		return err
	}
	for _, name := range c.Added {
		tell(a.Page, "- %s: new in %s\n", name, f.hosts)
	}
	for _, name := range c.Removed {
		tell(a.Page, "- %s: no longer in %s: taken out of the fleet, which has no results of it\n", name, f.hosts)
	}
	for _, name := range c.Kept {
		tell(a.Page, "- %s: no longer in %s: its results stay, and it isn't asked again\n", name, f.hosts)
	}
	for _, name := range c.Dirty {
		tell(a.Page, "- %s: the lab was there, and has left its folder; fix: %s\n", name, cli.Quote([]string{a.Args[0], "fleet", "clean", x.Dir}))
	}
	return nil
}

// bundleAgain makes the bundle of a fleet that was complete, and had it removed. Another
// one than the other machines had would measure something else.
func (a *app) bundleAgain(x *fleet.Fleet) error {
	if _, err := os.Lstat(x.BundlePath()); err == nil {
		return nil
	}
	digest, _, err := a.bundle(x.BundlePath())
	if err == nil && "sha256:"+digest != x.Bundle.Digest {
		err = fmt.Errorf("fleet resume: this lab's bundle isn't the one that the fleet's other machines had; fix: a fleet of its own for the new machines, then lab report %s OTHER/SCENARIO/*",
			filepath.Join(x.Dir, "SCENARIO", "*"))
		err = errors.Join(err, os.Remove(x.BundlePath()))
	}
	return err
}
