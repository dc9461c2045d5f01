package testbed

import (
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
