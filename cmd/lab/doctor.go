package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"lab/bench/image"
	"lab/bench/input"
	"lab/bench/machine"
	"lab/bench/owner"
	"lab/bench/residue"
	"lab/bench/results"
	"lab/bench/usercache"
	"lab/cmd/cli"
	"lab/reports/msg"
)

// A machine is asked by trying, not by version numbers: a kernel may have a feature and
// a seccomp profile, a missing file or a full limit forbid it. Each check says what it
// means and what to type, as whoever reads it wants to measure and not to learn a
// kernel's configuration. A failed check isn't a failure of the lab: what rests on it
// becomes a row that says why it wasn't run.

// doctorCommand is lab doctor. The checks are bench/machine's: each tries what an
// environment will do, for real, on a thread that dies afterwards, instead of looking
// at version numbers. Which scenarios a failed one blocks follows from what
// environments say that they rest on (bench.About.Rests).
func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	var left residueFlags
	cmd := &cobra.Command{
		Use:  "doctor",
		Args: noArgs,
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
				err = machine.Print(a.Page, checks, func(s string) string { return msg.Reader().Text(s) })
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

// What is left on a machine is a question of its own, and harder than it seems: other
// programs come and go meanwhile. So there are two answers. One looks for the lab's tag
// and names, at any time (--residue). The other compares all that is there with what was
// there before (--save, --since), whoever made it, and sorts out what surely is somebody
// else's.

// residueFlags are those of lab doctor that are about what is left.
type residueFlags struct {
	list        bool
	save, since string
}

// any says whether one of them was given.
func (f residueFlags) any() bool { return f.list || f.save != "" || f.since != "" }

// lookForResidue takes a snapshot of this machine. Its default folders are this
// user's.
func lookForResidue() (residue.Snapshot, error) {
	cache, err := usercache.Dir()
	if err != nil {
		return residue.Snapshot{}, err
	}
	return residue.Take(residue.Options{Cache: cache, Work: []string{usercache.Work(cache)}}), nil
}

// residue is lab doctor --residue and its kin. It sweeps nothing: what is left is to
// be seen.
func (a *app) residue(f residueFlags, asJSON bool) error {
	if err := a.NeedRoot("lab doctor --residue", cli.StatusFailed); err != nil {
		return err
	}
	// The comparison's first half is read before the machine is looked at: a wrong file
	// is said at once.
	var before residue.Snapshot
	if f.since != "" {
		b, err := input.ReadNamed(f.since, 64<<20)
		if err != nil {
			return cli.Usagef("--since: %w", err)
		}
		if err := json.Unmarshal(b, &before); err != nil || len(before.Items) == 0 {
			return cli.Usagef("--since %s: not a file of lab doctor --save", f.since)
		}
	}
	now, err := lookForResidue()
	if err != nil {
		return err
	}
	if f.save != "" {
		b, err := json.Marshal(now)
		if err != nil {
			return err
		}
		if err := os.WriteFile(f.save, b, 0o644); err != nil {
			return fmt.Errorf("--save: %w", err)
		}
		uid, gid := owner.IDs()
		if err := os.Lchown(f.save, uid, gid); err != nil {
			return fmt.Errorf("--save: %w", err)
		}
		if f.since == "" && !f.list {
			return nil
		}
	}
	var found struct {
		Left   []residue.Item          `json:"left"`
		Used   []residue.Item          `json:"used"`
		Differ []residue.Difference    `json:"differ,omitempty"`
		Unseen map[residue.Kind]string `json:"unseen,omitempty"`
	}
	found.Left, found.Used, found.Unseen = now.Left(), now.Used(), now.Unseen
	bad := len(found.Left) > 0
	if f.since != "" {
		found.Differ = now.Since(before)
		bad = bad || len(found.Differ) > 0 && found.Differ[0].Counts
	}
	if asJSON {
		err = a.printJSON(found)
	} else {
		err = printResidue(a.Page, found.Left, found.Used, found.Differ, found.Unseen)
	}
	if err == nil && bad {
		return cli.Exit(cli.StatusFailed, nil)
	}
	return err
}

// printResidue writes it for people: what is wrong first.
func printResidue(w io.Writer, left, used []residue.Item, differ []residue.Difference, unseen map[residue.Kind]string) error {
	var err error
	line := func(format string, args ...any) {
		if err == nil {
			err = sayTo(w, format, args...)
		}
	}
	for _, i := range left {
		line("left   %v\n", i)
	}
	// What may be the lab's doing is listed; what comes and goes by itself on any
	// machine is counted.
	other := 0
	for _, d := range differ {
		if !d.Counts {
			other++
			continue
		}
		line("%-6s %v\n", d.Change, d.Item)
		if d.Change == residue.Changed {
			line("       was (%s)\n", d.Before)
		}
	}
	for kind, why := range unseen {
		line("unseen %s: %s\n", kind, why)
	}
	if other > 0 {
		line("%d other differences are somebody else's, or come and go by themselves (--json lists them)\n", other)
	}
	if len(used) > 0 {
		line("%d objects are in use by a lab that runs (--json lists them)\n", len(used))
	}
	if len(left) > 0 {
		line("fix: lab clean\n")
	} else {
		line("nothing of the lab's is left\n")
	}
	return err
}
