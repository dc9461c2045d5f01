// Package launch is the only place that starts a local program: for host,
// chroot and container alike, so that none of them has a faster way than the
// others.
//
// # How a start goes
//
//  1. A disposable thread, which was there before the clock starts, takes the
//     [Plan].
//  2. On that thread the plan's steps run, in order: unshare, mount, chroot.
//     Namespaces, root and working folder belong to a thread in Linux, so
//     nothing else of the lab sees a change.
//  3. The thread clones the child, once, with CLONE_VM|CLONE_VFORK: no page
//     table is copied, and the thread goes on when the child has executed.
//  4. The child plays a [Tape] of prepared system calls: what can be done
//     only inside the new PID namespace, then descriptors, working folder,
//     user, privileges, exec.
//  5. The thread waits for the child by its PID, and then ends: it isn't fit
//     for anything else, since its namespaces can't be put back. Go ends the
//     thread of a goroutine that returns without unlocking it. Of a program that
//     stays, it hands the wait to a thread that waits for many (see reaper).
//
// The lab is never re-executed for a start, and no shim runs in between. A process that
// starts one program and then ends ([Alone]: lab exec) plays a plan that changes nothing
// of its thread on its own one; nothing is measured so.
//
// It isn't a container: what makes one is package container's plan.
package launch

import (
	"os"

	"lab/bench"
	"lab/bench/cgroup"
)

// A Plan is how a program is started. A host process is a plan of no step, a
// chroot one of one step, a container one of many.
type Plan struct {
	Command bench.Command

	// Init puts probe.Init before the program, as the process that is
	// started.
	Init bool

	// Steps run on the disposable thread before the clone.
	Steps []Step

	// Flags are clone(2) flags for the child, such as CLONE_NEWPID.
	// CLONE_VM and CLONE_VFORK are always there.
	Flags uintptr

	// Inside appends to the tape what the child does first, in its new
	// namespaces and still with all privileges; Privileges, what it does
	// last before exec. Both may be nil. They run on the disposable thread.
	Inside, Privileges func(*Thread, *Tape) error

	// Group is called on the disposable thread before the steps, and gives
	// the cgroup that the child enters before it executes. Nil: none.
	Group func() (*cgroup.Group, error)

	// Join is a cgroup that the child enters and that belongs to another
	// process, which removes it. Either it or Group may be set.
	Join *cgroup.Group

	// Terminal is called on the disposable thread after the steps where
	// Command.TTY is set and Stdin is nil, and gives the two ends of a new
	// pseudo-terminal. Nil: one of the lab's own /dev/pts.
	Terminal func() (master, slave *os.File, err error)

	// Null is called on the disposable thread after the steps, and opens the
	// null device that the child sees. Nil, as its result: one of the lab's own.
	Null func() *os.File

	// Find turns Argv[0] into the paths to try, in order; nil: PathInside.
	Find func(bench.Command) []string

	// Pinned has the very file executed that was looked at, whatever is at its
	// path by then. The root that the child sees must have a /proc.
	Pinned bool

	// Names is called on the disposable thread after the steps where Pinned is set,
	// and gives a folder that nobody sees, for links. Nil: one of the lab's own,
	// for which the lab's end waits for an RCU grace period.
	Names func() int

	// Leave runs on the disposable thread after the program's end, or before the
	// thread's own if the program stays, and may be nil. Here the thread lets go of
	// namespaces, so that they are gone when the program counts as gone, and not
	// only when the kernel has ended the thread.
	Leave func()

	// Cleanup runs after the program's end, not on the disposable thread:
	// what the kernel doesn't undo by itself. It may run for a start that
	// failed half way.
	Cleanup func() error
}

// plain says that the plan changes nothing of the thread that plays it.
func (p *Plan) plain() bool {
	return len(p.Steps) == 0 && p.Flags == 0 && p.Inside == nil && p.Leave == nil
}

// A Step is one named part of a start. Its name is a mark on the clock, made
// when Do returns.
type Step struct {
	Name string
	Do   func(*Thread) error
}

// A Thread is what a step is handed: the disposable thread it runs on.
type Thread struct {
	p *Process
}

// Keep keeps a descriptor open until the program executes: a step opens it, and
// the child, or a later step, needs it.
func (t *Thread) Keep(f *os.File) { t.p.kept = append(t.p.kept, f) }
