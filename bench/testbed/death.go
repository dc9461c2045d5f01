package testbed

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
	"lab/bench/input"
)

// OOMKills is how many processes this machine's kernel has killed for want of
// memory, its own or a cgroup's, since it started (Linux 4.13 and later).
func OOMKills() int64 {
	b, err := input.Kernel("/proc/vmstat")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return n
		}
	}
	return 0
}

// causes are what sends a signal, other than a person.
var causes = map[unix.Signal]string{
	unix.SIGABRT: "it gave up by itself", unix.SIGSEGV: "it crashed", unix.SIGBUS: "it crashed, or a file system or huge pages ran full",
	unix.SIGILL: "it crashed", unix.SIGFPE: "it crashed", unix.SIGTRAP: "it crashed",
	unix.SIGSYS:  "its filter forbids the system call that it made (seccomp)",
	unix.SIGXCPU: "a limit of CPU time, as of ulimit -t", unix.SIGXFSZ: "a limit of a file's size, as of ulimit -f",
}

// Death says how a process ended, and why as far as the kernel tells. ooms is
// what OOMKills was when the process began.
func Death(ws unix.WaitStatus, ooms int64) string {
	if !ws.Signaled() {
		return fmt.Sprintf("ended with exit status %d", ws.ExitStatus())
	}
	sig := ws.Signal()
	text := fmt.Sprintf("was killed by signal %d (%s)", int(sig), unix.SignalName(sig))
	if sig == unix.SIGKILL && OOMKills() > ooms {
		text += ", when memory ran out: the kernel killed a process for want of it, "
		if l, err := cgroup.Read(); err == nil {
			if _, by, ok := l.Left("memory"); ok {
				return text + "and the lab's cgroup " + by.Dir + " allows " + by.Text + "; fix: raise that limit, or ask for less at a time (--quick, fewer environments)"
			}
		}
		return text + "on this machine; fix: end other programs, or ask for less at a time (--quick, fewer environments)"
	}
	if why := causes[sig]; why != "" {
		text += ": " + why
	}
	return text
}

// A deathError is a process's that didn't end as it should.
type deathError struct {
	how string
	err error
}

func (e *deathError) Error() string { return e.how }
func (e *deathError) Unwrap() error { return e.err }

// Reap buries the orphans that fell to the worker as PID 1 and have ended: a
// daemon's forebears, for instance. It must not be called on the main thread's
// behalf while something forks there.
//
// It waits for each by its own PID: a wait for any child would take the exit
// status away from whoever else waits in this process. And it never touches a
// child that somebody waits for: the kernel hands orphans to the main thread of
// PID 1 (kernel/exit.c, find_new_reaper), and that thread forks nothing in the
// worker. Its list of children therefore holds orphans alone.
func Reap() {
	// Absent without CONFIG_PROC_CHILDREN: then the zombies stay until the
	// testbed ends, and cost an entry in the table of processes each.
	list, err := input.Kernel("/proc/self/task/1/children")
	if err != nil {
		return
	}
	for f := range bytes.FieldsSeq(list) {
		if pid, err := strconv.Atoi(string(f)); err == nil {
			unix.Wait4(pid, nil, unix.WNOHANG, nil) // 0 where it still lives
		}
	}
}
