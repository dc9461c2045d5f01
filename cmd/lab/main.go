// Lab puts one and the same workload into every kind of isolation that this
// machine offers, measures what each costs, and explains the numbers.
//
// This package is the command: flags in, parts wired, nothing else. The parts
// are in bench (what a measurement is), chroot, container and vm (the
// environments), scenarios (the questions) and reports (tables and plots).
//
// It is built twice. A Go program pays at every start for each package that it
// links, and "lab exec" is measured as a whole command; so the program called
// lab has what exec and version need (build tag "lean", lean.go), and hands
// everything else to lab-full beside it. A plain "go build" makes one program
// of both (full.go).
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses. Those of exec are its payload's own, and a shell's.
const (
	statusFailed      = 1
	statusUsage       = 2
	statusNothing     = 3   // nothing could be run; root is missing
	statusLab         = 125 // exec: the lab failed
	statusInterrupted = 130
)

// An app is one invocation of the command.
type app struct {
	args                  []string // args[0] is the program, as it was called
	stdin, stdout, stderr *os.File
}

// run is the whole command; it returns the exit status.
func run(args []string, stdin, stdout, stderr *os.File) int {
	a := &app{args, stdin, stdout, stderr}
	// What we make has the modes that we name, whatever the caller's umask is:
	// users other than root are to see images and results.
	syscall.Umask(0o022)
	root := a.root()
	root.SetArgs(args[1:])
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	var s *statusError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &s):
		s = &statusError{statusFailed, err}
	}
	if s.err != nil {
		fmt.Fprintln(stderr, "lab: "+indented(s.err.Error()))
	}
	return s.status
}

// indented sets the further lines of a text off; of several errors each has one.
func indented(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines[1:] {
		if !strings.HasPrefix(l, " ") {
			lines[i+1] = "     " + l
		}
	}
	return strings.Join(lines, "\n")
}

// A statusError is an error with the exit status that it brings. Without err
// nothing is printed: it was said already, or it is a payload's own status.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

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
