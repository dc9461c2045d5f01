package container

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/launch"
)

// Exec prepares a further command in the running container: setns(2) instead of
// unshare(2), and otherwise the same way. The command is in all of the
// container's namespaces and in its cgroup, sees its root, and has lost what
// its first process has lost. It ends with the container.
func (c *container) Exec(_ context.Context, cmd bench.Command) (bench.Process, error) {
	if c.PID() == 0 {
		return nil, errors.New("exec: the container isn't running")
	}
	// Until it executes, the child shows the lab's own program as its
	// /proc/PID/exe, to programs that are already running inside
	// (CVE-2019-5736). Of a process that isn't dumpable only who may trace
	// anything can open that link, and they lack CAP_SYS_PTRACE.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("exec: make the lab not dumpable", err)
	}
	launch.Ready(1)
	var (
		cgroups, users *os.File // the container's namespaces of these kinds
		proc           int      // the lab's /proc
	)
	p := launch.Plan{
		Command: cmd, Pinned: true, Join: c.Group(), Leave: c.leave,
		Steps: []launch.Step{{Name: "namespaces", Do: func(t *launch.Thread) (err error) {
			if cgroups, err = c.namespace(t, "cgroup"); err != nil {
				return err
			}
			if c.mapped() {
				if users, err = c.namespace(t, "user"); err != nil {
					return err
				}
			}
			if c.timed() {
				if proc, err = openProc(t); err != nil {
					return err
				}
			}
			return c.join()
		}}},
		Inside: func(_ *launch.Thread, tape *launch.Tape) error {
			// In the child, which has entered the cgroup: from inside of
			// the namespace one can't move a process in (cgroup v2,
			// nsdelegate).
			tape.Call("join the cgroup namespace", unix.SYS_SETNS, int(cgroups.Fd()), unix.CLONE_NEWCGROUP)
			if c.timed() {
				c.newTime(tape, proc)
			}
			if c.mapped() {
				c.becomeRoot(tape, int(users.Fd()))
			}
			return nil
		},
		Null:     func() *os.File { return openNull(unix.AT_FDCWD, "/dev/null") },
		Terminal: func() (*os.File, *os.File, error) { return c.openTerminal(unix.AT_FDCWD, "/dev/pts/ptmx") },
	}
	c.confine(&p)
	return launch.New(p), nil
}

// namespace opens the container's namespace of a kind, until the command executes.
func (c *container) namespace(t *launch.Thread, kind string) (*os.File, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", c.PID(), kind))
	if err == nil {
		t.Keep(f)
	}
	return f, err
}

// join moves the calling thread into the container's namespaces, and its
// children into the container's PID namespace.
func (c *container) join() error {
	pidfd, err := unix.PidfdOpen(c.PID(), 0)
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(pidfd)
	// A thread that shares its root folder with others can't change its mount
	// namespace (setns(2)).
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	err = unix.Setns(pidfd, unix.CLONE_NEWNS|unix.CLONE_NEWIPC|unix.CLONE_NEWUTS|unix.CLONE_NEWNET|unix.CLONE_NEWPID)
	return os.NewSyscallError("setns", err)
}
