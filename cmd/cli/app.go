// Package cli is what the lab's two programs have in common: an invocation of
// the command with its outputs, the user's errors and the exit statuses, and the
// commands that both have, exec and version. Package main of cmd/lab is the whole
// command, and that of cmd/start the one that starts fast.
package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"lab/bench/proc"
	"lab/bench/text"
)

// Exit statuses. Those of exec are its payload's own, and a shell's.
const (
	StatusFailed      = 1
	StatusUsage       = 2
	StatusNothing     = 3   // nothing could be run; root is missing
	StatusLab         = 125 // exec: the lab failed
	StatusInterrupted = 130
)

// An App is one invocation of the command.
type App struct {
	Args           []string // Args[0] is the program, as it was called
	Stdin          *os.File
	Stdout, Stderr *Output

	// What people read goes through these, which wrap it: a page always, and
	// a note on a terminal, as elsewhere programs search it by the line.
	Page, Note *text.Writer

	Translate func(string) string // an error's text into the reader's language; nil leaves it

	wait bool // for the machine's lock
}

// New is an invocation with these arguments and standard descriptors.
func New(args []string, stdin, stdout, stderr *os.File) *App {
	// What we make has the modes that we name, whatever the caller's umask is:
	// users other than root are to see images and results.
	syscall.Umask(0o022)
	width := text.Width(stdout)
	if width == 0 {
		width = text.DefaultWidth
	}
	a := &App{Args: args, Stdin: stdin, Stdout: newOutput(stdout), Stderr: newOutput(stderr)}
	a.Page, a.Note = text.NewWriter(a.Stdout, width), text.NewWriter(a.Stderr, text.Width(stderr))
	return a
}

// End ends the invocation: it prints the error of its command, if there is one, and
// returns the exit status.
func (a *App) End(err error) int {
	a.Page.Flush()
	err = a.Stdout.lost(err)
	var s *StatusError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &s):
		s = &StatusError{StatusFailed, err}
	}
	if s.Err != nil {
		said := indented(withoutCalls(s.Err))
		if refused := strings.Contains(said, syscall.EPERM.Error()) || strings.Contains(said, syscall.EACCES.Error()); refused && !strings.Contains(said, "fix: ") {
			if without := lacking(proc.Status(os.Getpid())["CapEff"]); os.Geteuid() == 0 && len(without) > 0 {
				said += fmt.Sprintf("\n     fix: this root lacks %s; run the lab outside of containers, or in a privileged one: docker run --privileged", strings.Join(without, ", "))
			}
		}
		a.Tell(said)
	}
	return s.Status
}

// SayArg is the first argument of lab-full where it is to print the second one in the
// reader's language, and to do nothing else. It isn't for users.
const SayArg = "__say"

// Tell writes a text after the lab's name, in the reader's language if that has it.
func (a *App) Tell(text string) {
	if a.Translate != nil {
		text = a.Translate(text)
	}
	fmt.Fprintln(a.Note, "lab: "+text)
}

// lacking names the rights that the lab needs and a root doesn't have, whose mask of
// capabilities this is (proc_pid_status(5), CapEff); none if the mask isn't known.
func lacking(mask string) (out []string) {
	has, err := strconv.ParseUint(mask, 16, 64)
	if err != nil {
		return nil
	}
	for _, c := range []struct {
		bit  uint
		name string
	}{
		{unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}, {unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {unix.CAP_SYS_CHROOT, "CAP_SYS_CHROOT"}, {unix.CAP_MKNOD, "CAP_MKNOD"},
		{unix.CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"}, {unix.CAP_CHOWN, "CAP_CHOWN"}, {unix.CAP_FOWNER, "CAP_FOWNER"}, {unix.CAP_SETUID, "CAP_SETUID"}, {unix.CAP_SETGID, "CAP_SETGID"},
		{unix.CAP_KILL, "CAP_KILL"},
	} {
		if has&(1<<c.bit) == 0 {
			out = append(out, c.name)
		}
	}
	return out
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

// A StatusError is an error with the exit status that it brings. Without Err
// nothing is printed: it was said already, or it is a payload's own status.
type StatusError struct {
	Status int
	Err    error
}

// Exit is a [*StatusError]; err may be nil.
func Exit(status int, err error) error { return &StatusError{status, err} }

func (e *StatusError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Status)
	}
	return e.Err.Error()
}

func (e *StatusError) Unwrap() error { return e.Err }
