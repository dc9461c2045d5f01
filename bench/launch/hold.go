package launch

import (
	"os"

	"golang.org/x/sys/unix"
)

// A Holder is a process that is in new namespaces and does nothing else. It is
// for a user namespace, which a thread can't enter while its process has
// others: somebody has to be born in it, and be there while its table of users
// is written and other threads join what it owns.
//
// It is no program: a child that shares the lab's memory and descriptors and
// waits, in a dozen instructions (hold_*.s).
type Holder struct {
	PID  int
	line lifeline
}

// Hold makes one; flags say which namespaces. It is to be called on a
// disposable thread, of whose end it dies, and Close ends it.
func Hold(flags uintptr) (*Holder, error) {
	h := new(Holder)
	h.line.hold()
	pid, errno := holdFork(flags|unix.CLONE_VM|unix.CLONE_FILES|uintptr(unix.SIGCHLD), &h.line.held)
	if errno != 0 {
		h.line.release()
		return nil, os.NewSyscallError("clone", unix.Errno(errno))
	}
	h.PID = int(pid)
	return h, nil
}

// Close ends the holder; what somebody else is in, or has open, stays.
func (h *Holder) Close() {
	unix.Kill(h.PID, unix.SIGKILL)
	for {
		if _, err := unix.Wait4(h.PID, nil, 0, nil); err != unix.EINTR {
			break
		}
	}
	h.line.release()
}

// holdFork keeps all signals blocked across the clone, for the child: a handler
// of ours mustn't run there.
//
//go:norace
//go:nosplit
func holdFork(flags uintptr, held *uint32) (pid, errno uintptr) {
	beforeFork()
	pid, errno = hold(flags, held)
	afterFork()
	return pid, errno
}

// hold is the bare system call and all that the child does; see the assembly.
//
//go:noescape
func hold(flags uintptr, held *uint32) (pid, errno uintptr)
