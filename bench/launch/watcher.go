package launch

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench/testbed"
)

// A Watcher is a process that outlives this one: it waits until this one has
// ended, however it did, and then executes this program again, to clean up. It
// is what SIGKILL leaves a word to, and costs some 50 µs: until it executes it
// is a child that shares our memory and waits in a system call (see bareFork).
//
// It has a session of its own, and another name than the program: Ctrl-C,
// killpg(2) and "killall lab" don't reach it. What kills by cgroup does, and so
// does the kernel for want of memory, as it kills all that share it.
type Watcher struct {
	pid  int
	tape Tape
	argv []*byte
	led  [24]byte // a PID in decimal, or "0"
}

// WatcherName is the watcher's name in ps(1).
const WatcherName = "tidier"

// Undertaker watches over testbeds for this program, called by this name.
func Undertaker(program string) testbed.Undertaker {
	return func(dir string) (testbed.Watcher, error) { return watch(program, dir) }
}

// watch starts one, for a testbed's run folder.
func watch(program, dir string) (*Watcher, error) {
	w := new(Watcher)
	var err error
	if w.argv, err = cStrings([]string{program, testbed.BuryArg, dir, ""}); err != nil {
		return nil, err
	}
	w.led[0] = '0'
	w.argv[3] = &w.led[0]
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	defer unix.Close(null) // the child has a copy, as of the next
	ended, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return nil, os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(ended)
	t := &w.tape
	t.Call("setsid", unix.SYS_SETSID)
	t.Maybe("set name", unix.SYS_PRCTL, unix.PR_SET_NAME, WatcherName, 0, 0, 0)
	// Out of the way first, above all: the numbers they get may be theirs.
	top := max(null, ended, testbed.BuryOwner) + 1
	for i, have := range []int{null, null, null, ended} {
		t.Call("dup", unix.SYS_DUP3, have, top+i, 0)
	}
	for i := range testbed.BuryOwner + 1 {
		t.Call("dup", unix.SYS_DUP3, top+i, i, 0)
	}
	t.Call("close descriptors", unix.SYS_CLOSE_RANGE, testbed.BuryOwner+1, uintptr(^uint32(0)), 0)
	t.Maybe("leave the folder", unix.SYS_CHDIR, "/")
	// If it returns before its time the program waits once more.
	t.Call("wait", unix.SYS_PPOLL, unsafe.Pointer(&unix.PollFd{Fd: testbed.BuryOwner, Events: unix.POLLIN}), 1, 0, 0)
	t.Call("execute", unix.SYS_EXECVE, "/proc/self/exe", unsafe.Pointer(&w.argv[0]), unsafe.Pointer(new(uintptr)))
	pid, errno := bareFork(0, t.calls)
	if errno != 0 {
		return nil, fmt.Errorf("start the watcher: %w", cloneError(errno))
	}
	w.pid = pid
	return w, nil
}

// Leads is where the PID of a process that leads a session is written, in decimal:
// what is left of that session ends with this process. The watcher's argument lies
// there, in memory that both share, so that a child can write it down itself before
// it does anything else: whoever made it may be killed at any moment.
func (w *Watcher) Leads() []byte { return w.led[:len(w.led)-1] }

// Forget takes back what Leads was told. In one step: the watcher may read it at
// any moment.
func (w *Watcher) Forget() {
	none, _ := unix.BytePtrFromString("0")
	atomic.StorePointer((*unsafe.Pointer)(unsafe.Pointer(&w.argv[3])), unsafe.Pointer(none))
}

// Close ends the watcher: nothing is left to clean up. It doesn't wait for it, which
// takes longer than all else where processors are busy; and who ends now leaves its
// burial to init.
func (w *Watcher) Close() {
	unix.Kill(w.pid, unix.SIGKILL)
	if !Alone.Load() {
		go end(w.pid)
	}
}
