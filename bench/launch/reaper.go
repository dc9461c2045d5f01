package launch

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/clock"
)

// A program that stays would keep the thread that started it: a stack in the kernel,
// one in Go, and one more thread that pivot_root looks at in each further start. So
// after a while the thread ends, and one for all waits on its behalf.
//
// It can't where the program is to die with the thread (see lifeline): where the lab isn't
// PID 1 of its namespace, with which the kernel ends all. Nor may it where the program may
// have asked for a signal at its parent's death, as bwrap --die-with-parent does: the
// kernel means the thread (prctl(2), PR_SET_PDEATHSIG). So it does for the first process
// of a PID namespace alone, from which no parent can be seen. If that one asks for such a
// signal nevertheless, it comes at once.

// outlived says whether programs may outlive their threads.
var outlived atomic.Bool

func init() { outlived.Store(os.Getpid() == 1) }

// leaveAfter is for how long a thread waits itself: what a short program's end is told
// by is then the same as ever.
const leaveAfter = 50 * time.Millisecond

// leave hands a program that still runs to the reaper, and says whether it did: then the
// thread has let go of its namespaces, and may end.
func (p *Process) leave() bool {
	if !outlived.Load() || p.plan.Flags&unix.CLONE_NEWPID == 0 {
		return false
	}
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return false
	}
	wait := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(wait, int(leaveAfter.Milliseconds())); n == 0 && err == nil {
		if r, err := theReaper(); err == nil {
			p.release()
			if r.take(fd, p) == nil {
				return true
			}
			p.plan.Leave = nil // it is done
		}
	}
	unix.Close(fd)
	return false
}

// A reaper waits for the ends of many programs, on one thread.
type reaper struct {
	epoll int
	mu    sync.Mutex
	by    map[int32]*Process // by pidfd
}

var theReaper = sync.OnceValues(func() (*reaper, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	r := &reaper{epoll: fd, by: map[int32]*Process{}}
	go r.run()
	return r, nil
})

// take adds a program; its pidfd is the reaper's to close.
func (r *reaper) take(fd int, p *Process) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
	if err == nil {
		r.by[int32(fd)] = p
	}
	return err
}

func (r *reaper) run() {
	runtime.LockOSThread()
	var events [16]unix.EpollEvent
	for {
		n, _ := unix.EpollWait(r.epoll, events[:], -1) // an error is EINTR
		at := clock.Now()
		for _, e := range events[:max(n, 0)] {
			r.mu.Lock()
			p := r.by[e.Fd]
			delete(r.by, e.Fd)
			r.mu.Unlock()
			unix.Close(int(e.Fd))
			p.bury(at, func() {})
		}
	}
}

// bury takes the exit status of the program, which has ended, and lets go.
func (p *Process) bury(at clock.Time, release func()) {
	// The program's end is the end of what it left in the background, as it
	// is where it is PID 1; here of its process group alone. A daemon with a
	// session of its own is found by nothing but a cgroup.
	unix.Kill(-p.pid, unix.SIGKILL)
	var (
		ws unix.WaitStatus
		ru unix.Rusage
	)
	p.mu.Lock()
	_, err := unix.Wait4(p.pid, &ws, 0, &ru)
	p.reaped = true
	p.mu.Unlock()
	p.exit = exitOf(ws, ru, at)
	if err != nil {
		p.err = fmt.Errorf("wait for PID %d: %w", p.pid, err)
	}
	// Where the lab is PID 1 it has inherited the group's orphans.
	for {
		if _, err := unix.Wait4(-p.pid, nil, 0, nil); err != nil && err != unix.EINTR {
			break
		}
	}
	release()
	close(p.ended)
}
