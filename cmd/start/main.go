// Start is the lab's program that starts fast: "make build" installs it as lab.
//
// It has what "lab exec" of a local environment needs, and "lab version", and
// executes lab-full beside it, the whole command, for everything else. A Go program
// pays at every start for each package that it links, here mostly other people's:
// side by side on a busy machine "version" took 2.2 ms with this program and 7.4 with
// the whole one (an empty program of Go's 1.2), "exec host" 3.8 and 12.5 ms. "make
// bench" has it anew (BenchmarkStart).
package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"lab/bench/image"
	"lab/bench/testbed"
	"lab/cmd/cli"
)

// fullName is the program that has all commands, in the folder of this one.
const fullName = "lab-full"

func main() {
	testbed.Bury(os.Args)
	if !own(os.Args[1:]) {
		os.Exit(failed(becomeFull()))
	}
	if os.Args[1] != "exec" {
		os.Exit(version())
	}
	a := cli.New(os.Args, os.Stdin, os.Stdout, os.Stderr)
	a.Translate = translated
	os.Exit(a.End(execute(a)))
}

// execute is lab exec. Its arguments are parsed by pflag, as cobra does it in lab-full: cobra
// itself, with templates and patterns for what isn't needed here, would be a fifth of
// what this program costs.
func execute(a *cli.App) error {
	x := &cli.Exec{App: a, Environments: cli.Local, Image: storedImage, Full: becomeFull}
	fl := pflag.NewFlagSet("exec", pflag.ContinueOnError)
	fl.Usage = func() {}
	x.Flags(fl)
	if err := fl.Parse(a.Args[2:]); err != nil {
		return x.FlagError(err)
	}
	if err := x.Check(fl.Args(), fl.ArgsLenAtDash()); err != nil {
		return err
	}
	return x.Run(fl.Args())
}

// version prints the lab's version, and returns the exit status.
func version() int {
	_, err := fmt.Println(cli.VersionLine())
	if os.Geteuid() == 0 { // exec does it while it waits
		testbed.SweepFolders()
	}
	if err != nil {
		return failed(err)
	}
	return 0
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, "lab: "+err.Error())
	return cli.StatusFailed
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
	return args[0] == "exec" && len(args) > 1 && slices.Contains(cli.Names(cli.Local()), args[1]) &&
		!slices.ContainsFunc(before, func(w string) bool {
			// A pipe can be read once, and not again by the program that this one may become.
			return w == "--help" || w == "-h" || strings.HasPrefix(w, "--env-file")
		})
}

// translated is an error in the reader's language, which lab-full has the texts of. An
// error may take its time.
func translated(said string) string {
	lang := cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG"))
	if lang == "" || lang == "C" || lang == "POSIX" || strings.HasPrefix(lang, "C.") || strings.HasPrefix(lang, "en") {
		return said
	}
	full, err := fullPath()
	if err != nil {
		return said
	}
	out, err := exec.Command(full, cli.SayArg, said).Output()
	if err != nil {
		return said
	}
	return string(out)
}

// fullPath is where lab-full lies.
func fullPath() (string, error) {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	return filepath.Join(filepath.Dir(self), fullName), err
}

// becomeFull executes lab-full in place of this program; it returns only with
// an error.
func becomeFull() error {
	full, err := fullPath()
	if err != nil {
		return err
	}
	err = syscall.Exec(full, os.Args, os.Environ())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing: lab has two programs, and they belong in one folder; fix: make build", full)
	}
	return fmt.Errorf("execute %s: %w", full, err)
}

// storedImage is the default image, where nobody changed it. That it is this
// lab's matters to what is measured, which is lab-full's. Else the command is
// left to lab-full, which has the programs to put into an image; that returns
// only with an error.
func storedImage(cache string, _ bool) (image.Ref, error) {
	if image.IsCurrent(cache) {
		return image.Ref{Name: "default", Dir: image.DefaultDir(cache)}, nil
	}
	return image.Ref{}, becomeFull()
}
