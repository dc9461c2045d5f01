package main

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/spf13/cobra"

	"lab/bench/fleet"
	"lab/cmd/cli"
)

// Two ways to clean. By a fleet's folder it is known what was measured and not fetched: that
// stays, and is named, unless the user discards it. By a list of machines alone there is
// nothing to compare with: a machine on which any fleet has a run's folder keeps all, and is
// named.

// fleetCleanCommand is lab fleet clean.
func (a *app) fleetCleanCommand() *cobra.Command {
	var f fleetFlags
	var discard bool
	cmd := &cobra.Command{
		Use: "clean DIR [--discard] | clean --hosts FILE",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && cmd.Flags().Changed("hosts") {
				return nil
			}
			return oneFolder(cmd, args)
		}, ValidArgsFunction: completeFolders,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.checkJobs(); err != nil {
				return err
			}
			if len(args) > 0 {
				return a.cleanFleet(cmd.Context(), args[0], &f, discard)
			}
			if discard {
				return cli.Usagef("fleet clean: --discard removes one fleet's results; fix: name its folder, too")
			}
			hosts, err := f.machines()
			if err != nil {
				return err
			}
			return a.cleaned(hosts, len(hosts), fleet.Clean(cmd.Context(), hosts, f.parallel))
		},
	}
	f.addHosts(cmd)
	cmd.Flags().BoolVar(&discard, "discard", false, "also results that weren't fetched yet: they are lost")
	cmd.Flags().IntVarP(&f.parallel, "jobs", "j", 64, "`N` machines at a time")
	completeFlags(cmd)
	return cmd
}

// cleaned says from how many of some machines the lab was removed, of those asked to, and
// what went wrong.
func (a *app) cleaned(hosts []string, asked int, r fleet.Removed) error {
	var errs []error
	for _, name := range hosts {
		if err := r.Failed[name]; err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	removed := asked - len(r.Failed) - len(r.Others) - r.Nothing
	err := sayTo(a.Page, "removed from %d of %d machines\n", removed, len(hosts))
	if r.Nothing > 0 {
		err = sayTo(a.Page, "nothing was there on %d of them\n", r.Nothing)
	}
	if err != nil {
		return err
	}
	return errors.Join(errs...)
}

// cleanFleet removes what a fleet left on its machines. What it measured there and didn't
// fetch stays unless discard is given. What stays or goes is said before.
func (a *app) cleanFleet(ctx context.Context, dir string, f *fleetFlags, discard bool) error {
	x, lock, err := fleet.OpenLocked(dir)
	if err != nil {
		return fmt.Errorf("fleet clean: %w", err)
	}
	defer lock.Close()
	hosts := x.Machines()
	switch {
	case f.hosts != "":
		if hosts, err = f.machines(); err != nil {
			return err
		}
	case x.Slurm != nil:
		return cli.Usagef("fleet clean: a task of Slurm's cleans its node when it ends; fix: lab fleet resume ends the others, or --hosts FILE with nodes that ssh reaches")
	}
	failed := map[string]error{}
	var clean []string
	kept := false
	for _, r := range x.Remains(ctx, hosts, f.parallel) {
		if r.Err != nil {
			failed[r.Host] = r.Err
			continue
		}
		for _, scenario := range r.Scenarios() {
			if discard {
				sayTo(a.Page, "- %s: %s, trials that weren't fetched: %d; they are removed\n", r.Host, scenario, r.Away[scenario])
			} else {
				sayTo(a.Page, "- %s: %s, trials that weren't fetched: %d; they stay\n", r.Host, scenario, r.Away[scenario])
			}
		}
		if len(r.Away) > 0 && !discard {
			kept = true
			continue
		}
		clean = append(clean, r.Host)
	}
	r := x.Discard(ctx, clean, f.parallel)
	asked := len(clean) + len(failed)
	maps.Copy(r.Failed, failed)
	for _, name := range r.Others {
		sayTo(a.Page, "- %s: another fleet is at work there, or has results: they stay, and the bundle with them\n", name)
	}
	if f.hosts == "" && !kept && len(r.Failed) == 0 {
		x.RemoveBundle()
	}
	err = errors.Join(x.Save(), a.cleaned(hosts, asked, r))
	if kept {
		typed := func(words ...string) string {
			return "\n     " + cli.Quote(append([]string{a.Args[0], "fleet"}, words...))
		}
		err = errors.Join(err, errors.New(say("results stay on the machines named above; to fetch them, type:")+typed("resume", dir)+"\n"+
			say("and to remove them:")+typed("clean", dir, "--discard")))
	}
	return err
}
