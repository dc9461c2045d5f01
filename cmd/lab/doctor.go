package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"lab/bench/image"
	"lab/bench/machine"
	"lab/bench/results"
	"lab/bench/usercache"
	"lab/cmd/cli"
)

// doctorCommand is lab doctor. The checks are bench/machine's: each tries what an
// environment will do, for real, on a thread that dies afterwards, instead of looking
// at version numbers. Which scenarios a failed one blocks follows from what
// environments say that they rest on (bench.About.Rests).
func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	var left residueFlags
	cmd := &cobra.Command{
		Use:  "doctor",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if left.any() {
				return a.residue(left, asJSON)
			}
			a.sweep()
			checks, err := checks(cmd.Context(), true)
			if err != nil {
				return err
			}
			if asJSON {
				err = machine.JSON(a.Stdout, checks)
			} else {
				err = machine.Print(a.Page, checks)
			}
			if err != nil {
				return err
			}
			if slices.ContainsFunc(checks, func(c machine.Check) bool { return c.Result == machine.Fail }) {
				return cli.Exit(cli.StatusFailed, nil)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&left.list, "residue", false, "list what of the lab's is on this machine")
	cmd.Flags().StringVar(&left.save, "save", "", "`FILE` write all that is on this machine there")
	cmd.Flags().StringVar(&left.since, "since", "", "`FILE` compare this machine with what --save wrote")
	return cmd
}

// checks looks at this machine; accel says whether KVM is tried, too, which
// takes a second.
func checks(ctx context.Context, accel bool) ([]machine.Check, error) {
	cache, err := usercache.Dir()
	if err != nil {
		return nil, err
	}
	kernel, err := kernelFile("")
	if err != nil {
		return nil, err
	}
	// All that isn't the machine's own is given to it: where the set-up left the kernel
	// and the image, and which environments there are.
	o := machine.Options{Cache: cache, Image: image.DefaultDir(cache), Broken: !image.IsCurrent(cache), Kernel: kernel, Environments: environments()}
	if accel {
		o.Accel = func(ctx context.Context) (results.Acceleration, error) { return probe(ctx, cache) }
	}
	if ctx == nil {
		ctx = context.Background()
	}
	c := machine.Checks(ctx, o)
	return c, usercache.Give(cache)
}
