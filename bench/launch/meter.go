package launch

import (
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
