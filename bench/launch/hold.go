package launch

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Holder is a process that is in new namespaces and does nothing else. It is
// for a user namespace, which a thread can't enter while its process has
// others: somebody has to be born in it, and be there while its table of users
// is written and other threads join what it owns.
type Holder struct {
	PID  int
	line lifeline
	tape Tape
}

// Hold makes one; flags say which namespaces. It is to be called on a
// disposable thread, of whose end it dies, and Close ends it.
func Hold(flags uintptr) (*Holder, error) {
	h := new(Holder)
	h.line.hold()
	h.line.dieWithUs(&h.tape)
	h.tape.Call("wait", unix.SYS_PPOLL, 0, 0, 0, 0)
	pid, errno := bareFork(flags|unix.CLONE_FILES, h.tape.calls)
	if errno != 0 {
		h.line.release()
		return nil, cloneError(errno)
	}
	h.PID = pid
	return h, nil
}

// NoMoreProcesses is said where a limit keeps the lab from starting another.
const NoMoreProcesses = "no more processes and threads may be started here; fix: a higher pids.max of the cgroup, or ulimit -u"

// cloneError is a clone(2) that failed, with the limit that did it.
func cloneError(errno unix.Errno) error {
	if errno == unix.EAGAIN {
		return fmt.Errorf("clone: %w: "+NoMoreProcesses, errno)
	}
	return os.NewSyscallError("clone", errno)
}

// Close ends the holder; what somebody else is in, or has open, stays.
func (h *Holder) Close() {
	end(h.PID)
	h.line.release()
}

// end kills a child and buries it.
func end(pid int) {
	unix.Kill(pid, unix.SIGKILL)
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
			break
		}
	}
}

// bareFork makes a child that plays a tape without registers, while the caller
// goes on. It is no program: it shares the lab's memory, and the tape must be
// kept there as long as it lives. All its signals are blocked, as a handler of
// ours mustn't run there.
//
//go:norace
//go:nosplit
func bareFork(flags uintptr, calls []call) (pid int, err unix.Errno) {
	beforeFork()
	p := bare(flags|unix.CLONE_VM|uintptr(unix.SIGCHLD), unsafe.SliceData(calls), len(calls))
	afterFork()
	return cloned(p)
}

// bare is the bare system call and all that the child does; see the assembly.
//
//go:noescape
func bare(flags uintptr, calls *call, n int) (pid uintptr)
