package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"lab/bench/residue"
	"lab/bench/testbed"
	"lab/bench/usercache"
	"lab/cmd/cli"
)

// sweep removes what dead labs left, before each command whose own matter is another
// (exec does it while it waits); it needs root, and makes no fuss without it.
func (a *app) sweep() {
	if os.Geteuid() != 0 {
		return
	}
	if _, err := testbed.Sweep(); err != nil {
		a.note(say("clean up after an earlier run: %v", err))
	}
}

// halfMadeFor is how long something may take that is made in the cache: by a command
// that takes no lock, or no notice of ours.
const halfMadeFor = time.Hour

// sweepHalfMade removes from the cache what nobody goes on making, and returns what
// it removed. The caller has the machine for itself.
func sweepHalfMade(cache string) (removed []string) {
	// Through a root: the folder is a user's, who may have put a link there.
	root, err := os.OpenRoot(cache)
	if err != nil {
		return nil
	}
	defer root.Close()
	for _, f := range residue.HalfMade(cache) {
		rel, err := filepath.Rel(cache, f)
		if err != nil {
			continue
		}
		if st, err := root.Lstat(rel); err == nil && time.Since(st.ModTime()) > halfMadeFor && root.RemoveAll(rel) == nil {
			removed = append(removed, f)
		}
	}
	return removed
}

// cleanCommand is lab clean: what every command that runs as root sweeps anyway, and
// what takes longer to look for. Nothing is removed because of its name alone: it
// bears the lab's tag, and nobody who is alive holds its lock.
func (a *app) cleanCommand() *cobra.Command {
	return &cobra.Command{
		Use:  "clean",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := a.NeedRoot("lab clean", cli.StatusFailed); err != nil {
				return err
			}
			removed, err := testbed.Sweep()
			// Where work folders are made by default; those of --work elsewhere are
			// found as long as the machine stays on, and by the next run there.
			if cache, cerr := usercache.Dir(); cerr == nil {
				removed = append(removed, testbed.SweepWork(usercache.Work(cache))...)
				if lock, err := testbed.Acquire(true); err == nil {
					removed = append(removed, sweepHalfMade(cache)...)
					lock.Release()
				}
			}
			for _, name := range removed {
				sayTo(a.Page, "removed %s\n", name)
			}
			if err == nil && len(removed) == 0 {
				sayTo(a.Page, "nothing was left\n")
			}
			return err
		},
	}
}
