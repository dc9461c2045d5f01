package vm

import (
	"lab/bench"
	"lab/bench/smaps"
)

// Meter tells what QEMU costs the host, and how much of that is the guest's RAM.
func (i *instance) Meter() (bench.Cost, error) {
	p, err := smaps.Read(i.pid, i.cfg.Memory)
	return bench.Cost{Processes: []smaps.Process{p}}, err
}

// Meter tells what the libvirt daemon costs, which all guests of a run share;
// nothing where there is none.
func (e *Env) Meter() (c bench.Cost, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.daemon == nil {
		return c, nil
	}
	p, err := smaps.Read(e.daemon.proc.PID(), 0)
	c.Processes = []smaps.Process{p}
	return c, err
}
