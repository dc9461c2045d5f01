package launch

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Alone says that this process starts one program and ends after it, as lab exec does. A
// plan that changes nothing of its thread is then played on the caller's: two handovers
// between threads less, and two threads that needn't be made and ended. What is measured
// has them in every environment.
var Alone atomic.Bool

// idle holds threads that wait for work. Making a thread takes some 50 µs, and
// longer when the scheduler must be asked for it: it isn't part of a start.
var idle = make(chan *job, 64)

// A job is what a waiting thread will do.
type job struct {
	given *baton
	do    func()
}

// Ready makes sure that n disposable threads wait for work. Prepare calls it.
func Ready(n int) {
	var up sync.WaitGroup
	for range n - len(idle) {
		up.Add(1)
		go worker(up.Done)
	}
	up.Wait()
}

// worker is a thread that does one piece of work and dies of it.
func worker(up func()) {
	locked(func() {
		j := &job{given: newBaton()}
		select {
		case idle <- j:
			up()
			j.given.take()
			j.do()
		default: // more than enough threads are there
			up()
		}
	})
}

// locked runs f on the calling goroutine's thread, of which the goroutine's
// return is the end.
func locked(f func()) {
	// Never unlocked: when the goroutine ends, the thread ends with it, and
	// with the thread whatever it did to its namespaces. Others have measured
	// what unlocking leads to: goroutines of strangers on a leaked thread.
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		f()
		return
	}
	// The main thread can't end: Go parks it for ever instead, and /proc/self
	// would show the world a container's view of us. Package main keeps its
	// goroutine locked to it, so this can only be a program that doesn't: give
	// the work to another thread, and keep this one occupied until that has
	// happened.
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		f()
	}()
	<-done
	runtime.UnlockOSThread()
}

// onThread runs f on a disposable thread: one that waits, else a new one.
func onThread(f func()) {
	select {
	case j := <-idle:
		j.do = f
		j.given.pass()
	default:
		// One of its own, and not the next one that comes to wait: somebody
		// else may be faster to take that.
		go locked(f)
	}
}

// Do runs f on a disposable thread, and returns when f has. It is for work
// that changes the thread's namespaces, root or working folder and starts no
// program.
func Do(f func() error) error {
	done := make(chan error, 1)
	onThread(func() { done <- f() })
	return <-done
}

// PivotHere makes the mount that is the thread's working folder the root of its mount
// namespace, and lets go of the old one with all that was mounted there.
func PivotHere() error {
	// With both arguments the same, the old root is put on top of the new
	// one, at "/", and no folder is needed to hold it (pivot_root(2)).
	if err := unix.PivotRoot(".", "."); err != nil {
		return os.NewSyscallError("pivot_root", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount the old root: %w", err)
	}
	return os.NewSyscallError("chdir", unix.Chdir("/"))
}

// home is a pidfd of the lab itself: the way back to its namespaces.
var home = sync.OnceValues(func() (int, error) { return unix.PidfdOpen(os.Getpid(), 0) })

// Home brings the calling disposable thread back to the lab's own namespaces of these
// kinds (CLONE_NEWNS, …). With the program gone, that drops the last hold on its own,
// and its mounts go now, in the time that counts as the instance's, rather than with
// the thread. It is for Plan.Leave.
//
// The thread isn't used again for all that: not everything that it changed can be
// changed back.
func Home(kinds int) {
	// A start may have failed before the thread had root and working folder to itself,
	// and setns with several kinds of namespaces would then change all threads'.
	unix.Unshare(unix.CLONE_FS)
	// It doesn't matter if it fails (before Linux 5.8 there is no setns with a
	// pidfd): the thread's end has the same effect, a little later.
	if fd, err := home(); err == nil {
		unix.Setns(fd, kinds)
	}
}

// Namespaces names those that a process is in, by kind: {"mnt": "mnt:[402653]"}, and
// in place of the PID namespace, which is "pid namespace", its PID.
func Namespaces(pid int) (map[string]string, error) {
	out := map[string]string{}
	for _, ns := range []string{"cgroup", "ipc", "mnt", "net", "pid", "uts", "user", "time"} {
		l, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, ns))
		if err != nil {
			return nil, fmt.Errorf("inspect: %w", err)
		}
		out[ns] = l
	}
	out["pid namespace"], out["pid"] = out["pid"], fmt.Sprint(pid)
	return out, nil
}
