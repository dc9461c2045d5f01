package launch

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// A lifeline ends a child whose lab was killed, at whatever point of the start
// that happens.
//
// The kernel sends a child its parent-death signal when the thread that cloned
// it ends (prctl(2), PR_SET_PDEATHSIG). But the child can ask for that only
// when it runs, and must do so late, as a change of user takes it back; if its
// parent has ended by then, no signal comes any more. os/exec looks at getppid
// for this. In a new PID namespace that is 0 whether or not the parent lives.
//
// So the child looks at a word in the memory that both share. The kernel
// clears it as the thread ends (set_tid_address(2)), before it sends the
// signal: where the word isn't cleared yet the signal is still to come.
type lifeline struct {
	held uint32
	old  uintptr // the thread's address before
	none uint32
}

// prGetTIDAddress is PR_GET_TID_ADDRESS. Kernels without checkpoint and restore
// lack it; Go's own threads have no address.
const prGetTIDAddress = 40

// hold ties the line to the calling thread, whose next act is the clone.
//
//go:norace
//go:nosplit
func (l *lifeline) hold() {
	l.held = 1
	unix.RawSyscall6(unix.SYS_PRCTL, prGetTIDAddress, uintptr(unsafe.Pointer(&l.old)), 0, 0, 0, 0)
	unix.RawSyscall(unix.SYS_SET_TID_ADDRESS, uintptr(unsafe.Pointer(&l.held)), 0, 0)
}

// release unties it: the thread may outlive the line's memory. A C library
// that made the thread waits at the old address for its end.
//
//go:norace
//go:nosplit
func (l *lifeline) release() {
	unix.RawSyscall(unix.SYS_SET_TID_ADDRESS, l.old, 0, 0)
}

// dieWithUs appends the child's part. It must come after the last change of
// user, and is of no use before.
func (l *lifeline) dieWithUs(tape *Tape) {
	tape.Call("die with the lab", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, int(unix.SIGKILL), 0, 0, 0)
	// A comparison as a system call: requeue nobody to a word where nobody
	// waits, if the first still is 1; else EAGAIN (futex(2)).
	const compare = 4 | 128 // FUTEX_CMP_REQUEUE, of one process
	tape.Call("see the lab alive", unix.SYS_FUTEX, unsafe.Pointer(&l.held), compare, 0, 0, unsafe.Pointer(&l.none), 1)
}
