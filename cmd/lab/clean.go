package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"lab/bench/testbed"
	"lab/bench/usercache"
)

// sweep removes what dead runs left, for commands whose own matter is another;
// it needs root, and makes no fuss without it.
func sweep() {
	if os.Geteuid() == 0 {
		testbed.Sweep()
	}
}

func (a *app) cleanCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "clean",
		Short: "Remove what killed runs left on this machine",
		Long: `Remove what killed runs left on this machine: cgroup folders with the lab's tag,
and the run and work folders of labs that are dead. The kernel has freed all
else. Every command that runs as root does the same. Nothing without the tag is
touched, and nothing of a run that is still going on.

The cache (guest kernel, image) stays: make uninstall removes it. Results stay.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := a.needRoot("lab clean", statusFailed); err != nil {
				return err
			}
			removed, err := testbed.Sweep()
			// Where work folders are made by default; those of --work elsewhere are
			// found as long as the machine stays on, and by the next run there.
			if cache, cerr := usercache.Dir(); cerr == nil {
				removed = append(removed, testbed.SweepWork(usercache.Work(cache))...)
			}
			for _, name := range removed {
				fmt.Fprintln(a.page, "removed", name)
			}
			if err == nil && len(removed) == 0 {
				fmt.Fprintln(a.page, "nothing was left")
			}
			return err
		},
	}
}
