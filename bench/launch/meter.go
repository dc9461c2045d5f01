package launch

import (
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
)

// Meter tells what the running program, and what it started in its cgroup, costs
// the host.
func (p *Process) Meter() (c bench.Cost, err error) {
	pids := []int{p.PID()}
	if p.group != nil {
		if err := c.AddGroup(p.group); err != nil {
			return c, err
		}
		if pids, err = p.group.Processes(); err != nil {
			return c, err
		}
	}
	err = c.AddProcesses(pids...)
	return c, err
}

// Account has the marks say how much processor time the start has had, too: the
// disposable thread's, and after the clone the child's. It is to be called before
// Start, and costs a system call a mark.
func (p *Process) Account() { p.accounts, p.tape.accounts = true, true }

// cpu reads a clock of processor time; 0 of a start that doesn't account for it.
func (p *Process) cpu(clock int32) time.Duration {
	var ts unix.Timespec
	if p.accounts {
		unix.ClockGettime(clock, &ts) // zero if the child has ended
	}
	return time.Duration(ts.Nano())
}
