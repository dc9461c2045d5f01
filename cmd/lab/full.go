// Lab puts one and the same workload into every kind of isolation that this
// machine offers, measures what each costs, and explains the numbers.
//
// This package is the command: flags in, parts wired, nothing else. The parts
// are in bench (what a measurement is), chroot, container and vm (the
// environments), scenarios (the questions) and reports (tables and plots).
//
// # How a run goes
//
// From a typed line to a report, with where each step is:
//
//	run.go         flags are parsed into a request, and judged before anything is made
//	request.go     what of a request this lab or this machine can't do; experiment files
//	begin.go       the machine is locked; cache, image and machine are looked at
//	supervisor.go  package runs starts a worker, which makes the trials; this process
//	               owns the terminal, and is what Ctrl-C reaches
//	announce.go    what will be done is said before the first trial (or alone: --predict)
//	progress.go    between two trials, how far it is
//	language.go    in which language all of it is said
//	report.go      package reports reads the folder back, draws it, and a table is printed
//
// From the worker down to the two readings of the clock: "Where a measurement begins" in
// bench/doc.go.
//
// The worker is this program once more, as the first process of namespaces of its own:
// it dies with them, and they with it. So nothing that a run has made can outlive it.
//
// # The other commands
//
// Some make runs in a further way: reopen.go has what --resume and reproduce.go have in
// common, calibrate.go makes a handful that test the lab itself. Others only read
// folders (compare.go, check.go, serve.go), keep images (image_*.go), or look at the machine
// (doctor.go, list.go, clean.go, chaos.go). lab exec is in package cli, as a smaller
// program has it, too; exec_vm.go is the part of it that needs a worker. What each says
// with --help is in help.txt.
//
// # Why there are two programs
//
// It is complete by itself. A Go program pays at every start for each package
// that it links, though, and "lab exec" is measured as a whole command; so "make
// build" installs it as lab-full, and as lab a program with exec and version
// alone, which hands everything else to this one: see cmd/start.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lab/bench"
	"lab/bench/chaos"
	"lab/bench/crew"
	"lab/bench/engines/bwrap"
	"lab/bench/engines/docker"
	"lab/bench/engines/lxc"
	"lab/bench/engines/nspawn"
	"lab/bench/engines/oci"
	"lab/bench/engines/own"
	"lab/bench/engines/podman"
	"lab/bench/engines/uml"
	"lab/bench/image"
	"lab/bench/owner"
	"lab/bench/probe/built"
	"lab/bench/results"
	"lab/bench/runs"
	"lab/bench/testbed"
	"lab/cmd/cli"
	"lab/container"
	"lab/vm"
	"lab/vm/accel"
)

// The worker must be started from the main thread, as the kernel kills it when
// the thread that started it ends (prctl(2), PR_SET_PDEATHSIG); and the main
// thread must never be one that bench/launch uses up.
func init() { runtime.LockOSThread() }

// main is the start of every process of the lab's: of the command that somebody
// typed, and of the worker that lab run starts of the same program (see crew.Arg).
func main() { os.Exit(full(os.Args)) }

// full is the whole command, and the worker that lab run starts of it.
func full(args []string) int {
	// The undertaker of a testbed is this program, too, started with other arguments: it
	// takes away what a killed lab can't.
	testbed.Bury(args)
	if len(args) > 1 && args[1] == crew.Arg {
		return crew.Work(map[string]crew.Duty{runs.Duty: parts.Work, execDuty: execWork, chaos.Duty: chaos.Work})
	}
	if len(args) == 3 && args[1] == cli.SayArg {
		speak(args[:1])
		os.Stdout.WriteString(inLanguage(args[2]))
		return 0
	}
	return run(args, os.Stdin, os.Stdout, os.Stderr)
}

// An app is one invocation of the command.
type app struct{ *cli.App }

// newApp is an invocation with these arguments; tests give it files of their own.
func newApp(args []string, stdin, stdout, stderr *os.File) *app {
	return &app{cli.New(args, stdin, stdout, stderr)}
}

// run is the whole command; it returns the exit status.
func run(args []string, stdin, stdout, stderr *os.File) int {
	args, wrong := speak(args)
	a := newApp(args, stdin, stdout, stderr)
	a.Translate = inLanguage
	root := a.root()
	if wrong != nil {
		root = &cobra.Command{Use: "lab", DisableFlagParsing: true, RunE: func(*cobra.Command, []string) error { return wrong }}
	}
	words := a.Args[1:]
	if slices.Equal(words, []string{"--version"}) {
		words = []string{"version"} // not in the form of cobra's templates
	}
	root.SilenceErrors, root.SilenceUsage = true, true // they are printed in the lab's own form
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		// "lab rnu --quick": of the flag there is nothing to say, but of the word before it.
		if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
			if err := cmd.ValidateArgs(words); err != nil {
				return err
			}
		}
		return cli.FlagError(strings.TrimPrefix(cmd.CommandPath(), "lab "), cmd.Flags(), err)
	})
	root.SetArgs(words)
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout) // what shells read (completion); help goes to a page, which wraps it
	root.SetErr(a.Note)
	return a.End(root.Execute())
}

// noArgs refuses arguments where a command takes none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return cli.Usagef("%s: unexpected argument %q; it takes none", cmd.Name(), args[0])
	}
	return nil
}

// versionCommand is lab version.
func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Args: noArgs, RunE: func(*cobra.Command, []string) error {
		_, err := fmt.Fprintln(a.Page, cli.VersionLine())
		return err
	}}
}

// root is the tree of commands. What a command says with --help is in help.txt, and
// what its flags say is where these are made.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:     "lab",
		Version: cli.VersionLine(),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return cli.Unknown("command", args[0], commands(cmd))
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			// Exec does it while it waits, clean says what it removes, and doctor may be
			// asked what there is.
			if !slices.Contains([]string{"exec", "clean", "doctor", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd}, cmd.Name()) {
				a.sweep()
			}
		},
	}
	root.Flags().String("lang", "", "`ko|en` language of reports and of what is printed, for any command (default: LC_ALL, LC_MESSAGES or LANG)")
	root.SetHelpFunc(a.help)
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(a.runCommand(), a.guessCommand(), a.execCommand(), a.reportCommand(), a.serveCommand(), a.compareCommand(), a.planCommand(), a.reproduceCommand(), a.checkCommand(), a.claimsCommand(), a.paperCommand(), a.calibrateCommand(),
		a.listCommand(), a.doctorCommand(), a.bundleCommand(), a.fleetCommand(), a.imageCommand(), a.explainCommand(), a.cleanCommand(), a.chaosCommand(), a.versionCommand())
	describe(root)
	return root
}

// environments is the one list of them: a new one is its folder, and a line here.
// Runtimes that are named by their path follow, where some of also are such names.
// It is a variable for the tests alone.
var environments = func(also ...string) []bench.Environment {
	// First those that need no foreign program (lab exec has them without lab-full),
	// then others', then guests.
	list := append(cli.Local(),
		container.NewJail(),
		own.New(""),
		bwrap.New(),
		oci.Crun(),
		oci.Runc(),
		oci.Runsc(),
		nspawn.New(),
		podman.New(),
		docker.NewContainerd(),
		docker.New(),
		lxc.New(),
		uml.New(),
		vm.New(),
		vm.NewBare(),
		vm.NewDistro(),
		docker.InGuest(vm.NewEngine()),
		vm.NewXen(),
	)
	for _, name := range also {
		if e := oci.At(name); e != nil {
			list = append(list, e)
		}
	}
	return list
}

// environmentNames lists them, from the least to the most isolation.
func environmentNames() []string { return cli.Names(environments()) }

// commands lists a command's visible subcommands.
func commands(cmd *cobra.Command) []string {
	var out []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			out = append(out, c.Name())
		}
	}
	return out
}

// kernelFile is the guest kernel that the user named with --kernel or
// LAB_KERNEL, as an absolute path; "" is none.
func kernelFile(named string) (string, error) {
	flag := "--kernel"
	if named == "" {
		named, flag = os.Getenv("LAB_KERNEL"), "LAB_KERNEL"
	}
	if named == "" {
		return "", nil
	}
	// It is judged here, and opened by the worker: that one can't ask the user any more.
	if _, err := os.Stat(named); err != nil {
		return "", cli.Usagef("%s: %w", flag, err)
	}
	return filepath.Abs(named)
}

// programs are what the default image has of the lab's own beside what package
// image makes by itself.
func programs() []image.Entry {
	b, err := built.Probe()
	if err != nil { // scenarios that need it say so
		return nil
	}
	return []image.Entry{{Name: image.ProbePath[1:], Mode: 0o755, Data: b}}
}

// storedImage is the default image of this lab's.
func storedImage(cache string, read bool) (image.Ref, error) {
	uid, gid := owner.IDs()
	return image.Default(cache, read, uid, gid, programs()...)
}

// probe finds out whether KVM is usable.
func probe(ctx context.Context, cache string) (results.Acceleration, error) {
	v, err := accel.Probe(ctx, cache)
	return v.Acceleration, err
}
