//go:build lean

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/testbed"
	"lab/chroot"
	"lab/container"
)

// fullName is the program that has all commands, in the folder of this one.
const fullName = "lab-full"

func main() {
	testbed.Bury(os.Args)
	if !own(os.Args[1:]) {
		err := becomeFull()
		fmt.Fprintln(os.Stderr, "lab: "+err.Error())
		os.Exit(statusFailed)
	}
	os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// own says whether a command line is for this program: "version", and "exec" of
// an environment that needs no foreign program. Help, and whatever isn't
// understood, is for the one that knows all commands.
func own(args []string) bool {
	switch {
	case len(args) == 0:
		return false
	case args[0] == "version", args[0] == "--version":
		return len(args) == 1
	}
	before := args
	if n := slices.Index(args, "--"); n >= 0 {
		before = args[:n]
	}
	return args[0] == "exec" && len(args) > 1 && slices.Contains(environmentNames(), args[1]) &&
		!slices.ContainsFunc(before, func(w string) bool {
			// A pipe can be read once, and not again by the program that this one may become.
			return w == "--help" || w == "-h" || strings.HasPrefix(w, "--env-file")
		})
}

// becomeFull executes lab-full in place of this program; it returns only with
// an error.
func becomeFull() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return err
	}
	full := filepath.Join(filepath.Dir(self), fullName)
	err = syscall.Exec(full, os.Args, os.Environ())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing: lab has two programs, and they belong in one folder; fix: make build", full)
	}
	return fmt.Errorf("execute %s: %w", full, err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{Use: "lab", SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			if cmd.Name() != "exec" && os.Geteuid() == 0 { // exec does it while it waits
				testbed.SweepFolders()
			}
		}}
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(a.execCommand(), a.versionCommand())
	return root
}

func environments(...string) []bench.Environment {
	return []bench.Environment{chroot.Host(), chroot.Chroot(), container.New()}
}

// scope is for lab-full, as few need it, and each start would pay for linking it.
var scope func(slice, name string) error

// executeApart is for environments that this program hasn't got.
func (a *app) executeApart(bench.Environment, bench.Spec, *execFlags) (int, error) {
	return 0, errors.New("exec: not in this program")
}

// storedImage is the default image, where nobody changed it. That it is this
// lab's matters to what is measured, which is lab-full's. Else the command is
// left to lab-full, which has the programs to put into an image; that returns
// only with an error.
func storedImage(cache string, _ bool) (image.Ref, error) {
	if image.IsCurrent(cache) {
		return image.At(image.DefaultDir(cache))
	}
	return image.Ref{}, becomeFull()
}

func completeFlags(*cobra.Command) {}
