package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"lab/bench/clock"
	"lab/bench/testbed"
)

// An Environment is one kind of isolation.
//
// The order of calls is Open, then Check and Prepare any number of times, from
// any goroutine, then Close. Name, About and Settings work at any time.
type Environment interface {
	// Name is the word users type: "host", "container".
	Name() string

	// About is what else is to be known of it. Name may be left out.
	About() About

	// Settings lists what a user may vary, with defaults. It feeds --variant,
	// help texts, and the errors for unknown values.
	Settings() []Setting

	// Open makes what is shared by all instances of a run: daemons,
	// connections. It is called once a run, in the testbed, before Check.
	Open(context.Context, *testbed.Testbed) error

	// Check says whether this machine can run s here: nil, or an error that
	// wraps [ErrUnavailable] or [ErrNotApplicable] and is an [*UnfitError],
	// which carries the cure.
	Check(context.Context, Spec) error

	// Prepare does what later starts of the same image and settings would
	// share, and nothing that exists once an instance.
	Prepare(context.Context, Spec) (Instance, error)

	// Close ends what Open made. It may be called twice.
	io.Closer
}

// A Process is a program that was, is or will be running.
type Process interface {
	// Start makes the instance and starts the program. It returns when the
	// program was executed, or with an error that tells who is to blame (see
	// [Blame]). After an error nothing of the instance is left but what Close
	// removes.
	Start(context.Context) error

	// Signal sends a signal to the program. os.ErrProcessDone after its end.
	Signal(os.Signal) error

	// Wait waits until the program ended. When the context ends first, the
	// program is killed, and Wait returns the context's error with the Exit
	// that the kill brought.
	Wait(context.Context) (Exit, error)

	// Close undoes all, in any state, killing what still runs; when it
	// returns, nothing of the instance is left. A second call does nothing.
	io.Closer
}

// An Instance is one workload prepared or running in one environment.
type Instance interface {
	Process

	// Ready is the host's raw end of the channel that the workload's standard
	// output goes to where Command.Stdout is nil: a pipe, or a console's
	// socket. The caller reads it, with clock.AwaitToken; the Instance closes
	// it. It is nil before Start, and where Command.Stdout is set.
	Ready() *os.File
}

// Exit is how a program ended.
type Exit struct {
	Code   int        // exit status, or -1 when a signal ended it
	Signal int        // the signal's number, or 0
	OOM    bool       // the kernel killed it for want of memory
	Usage  Usage      // what it used
	At     clock.Time // when its end was seen
}

// Status is the exit status a shell would show: Code, or 128+Signal.
func (e Exit) Status() int {
	if e.Signal != 0 {
		return 128 + e.Signal
	}
	return e.Code
}

func (e Exit) String() string {
	switch {
	case e.OOM:
		return "killed for want of memory"
	case e.Signal != 0:
		return fmt.Sprintf("signal %d", e.Signal)
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// Usage is what a program and its children used, as wait4(2) or, for a VM,
// the guest's init reports it. Zero where it isn't known.
type Usage struct {
	User, System time.Duration
	MaxRSS       int64 // bytes
}

// A Setting is something that a user may vary with --variant name=value.
type Setting struct {
	Name    string
	Values  []string // allowed ones; empty means free text checked by Check
	Default string
	Help    string // one line: what it changes

	// Without is the value that leaves an ingredient of an instance out: "no",
	// "host". "" means that the setting is no such thing.
	Without string
}

// The two ways in which an environment can be unfit for a Spec.
var (
	ErrUnavailable   = errors.New("unavailable")    // this machine can't; another could
	ErrNotApplicable = errors.New("not applicable") // the question makes no sense here
)

// An UnfitError says why a Spec can't run in an environment, and the cure.
type UnfitError struct {
	Err    error  // ErrUnavailable or ErrNotApplicable
	Reason string // "the program qemu-system-x86_64 isn't installed"
	Cure   string // "apt-get install qemu-system-x86"; "" when there is none
}

func (e *UnfitError) Error() string {
	s := e.Err.Error() + ": " + e.Reason
	if e.Cure != "" {
		s += "; fix: " + e.Cure
	}
	return s
}

func (e *UnfitError) Unwrap() error { return e.Err }

// Unavailable is an UnfitError with ErrUnavailable.
func Unavailable(reason, cure string) error {
	return &UnfitError{ErrUnavailable, reason, cure}
}

// ErrNoWork is Check's answer to Spec.Work in a testbed without a work folder.
var ErrNoWork = Unavailable("this testbed has no work folder", "lab run --work DIR")

// NotApplicable is an UnfitError with ErrNotApplicable.
func NotApplicable(reason, cure string) error {
	return &UnfitError{ErrNotApplicable, reason, cure}
}
