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
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"lab/bench/text"
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
	args           []string // args[0] is the program, as it was called
	stdin          *os.File
	stdout, stderr *output

	// What people read goes through these, which wrap it: a page always, and
	// a note on a terminal, as elsewhere programs search it by the line.
	page, note *text.Writer

	wait bool // for the machine's lock
}

func newApp(args []string, stdin, stdout, stderr *os.File) *app {
	width := text.Width(stdout)
	if width == 0 {
		width = text.DefaultWidth
	}
	a := &app{args: args, stdin: stdin, stdout: newOutput(stdout), stderr: newOutput(stderr)}
	a.page, a.note = text.NewWriter(a.stdout, width), text.NewWriter(a.stderr, text.Width(stderr))
	return a
}

// run is the whole command; it returns the exit status.
func run(args []string, stdin, stdout, stderr *os.File) int {
	a := newApp(args, stdin, stdout, stderr)
	// What we make has the modes that we name, whatever the caller's umask is:
	// users other than root are to see images and results.
	syscall.Umask(0o022)
	root := a.root()
	words := args[1:]
	if slices.Equal(words, []string{"--version"}) {
		// Not by cobra, whose templates would double the lean program.
		words = []string{"version"}
	}
	root.SetArgs(words)
	root.SetIn(stdin)
	root.SetOut(a.page)
	root.SetErr(a.note)
	err := root.Execute()
	a.page.Flush()
	err = a.stdout.lost(err)
	var s *statusError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &s):
		s = &statusError{statusFailed, err}
	}
	if s.err != nil {
		fmt.Fprintln(a.note, "lab: "+indented(withoutCalls(s.err)))
	}
	return s.status
}

// The two kinds of errors that hold others (package errors).
type (
	wrapper interface{ Unwrap() error }
	joined  interface{ Unwrap() []error }
)

// withoutCalls is an error's text without the names of system calls before a
// path: "lstat /nosuch: no such file" says nothing more than "/nosuch: no such
// file" to whoever typed that path.
func withoutCalls(err error) string {
	said := err.Error()
	var walk func(error)
	walk = func(err error) {
		if p, ok := err.(*fs.PathError); ok && slices.Contains([]string{"stat", "lstat", "open", "openat"}, p.Op) {
			said = strings.ReplaceAll(said, p.Error(), p.Path+": "+p.Err.Error())
		}
		switch x := err.(type) {
		case wrapper:
			if e := x.Unwrap(); e != nil {
				walk(e)
			}
		case joined:
			for _, e := range x.Unwrap() {
				walk(e)
			}
		}
	}
	walk(err)
	return said
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
