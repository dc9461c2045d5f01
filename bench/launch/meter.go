package launch

import (
	"errors"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/smaps"
)

// Meter tells what the running program, and what it started in its cgroup, costs
// the host.
func (p *Process) Meter() (c bench.Cost, err error) {
	pids := []int{p.PID()}
	if p.group != nil {
		m, err := p.group.Memory()
		if err == nil {
			c.Group = &m
		} else if !errors.Is(err, cgroup.ErrNoMemory) {
			return c, err
		}
		if pids, err = p.group.Processes(); err != nil {
			return c, err
		}
	}
	for _, pid := range pids {
		x, err := smaps.Read(pid, 0)
		if err != nil {
			return c, err
		}
		c.Processes = append(c.Processes, x)
	}
	return c, nil
}
