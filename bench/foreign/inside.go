package foreign

import (
	"os"
	"path/filepath"

	"lab/bench"
	"lab/bench/launch"
)

// What is known of the workload while it runs.

// Addr is the address on the bridge, or "".
func (i *Instance) Addr() string {
	if i.network == nil {
		return ""
	}
	return i.addr.Addr().String()
}

// Place is where what it writes lies in the work folder, with Spec.Work.
func (i *Instance) Place() string { return "/tmp" }

// LastPhase is what follows the last mark: the program's own work.
func (i *Instance) LastPhase() string { return i.env.Name() }

// Inspect names the workload's process and its namespaces; where the program hides it,
// the program's.
func (i *Instance) Inspect() (map[string]string, error) {
	w := i.workload()
	if w == nil {
		return i.Process.Inspect()
	}
	return launch.Namespaces(w.pid)
}

// below is where the workload is in the cgroup that holds it: what the program was told to
// make, or a group that it has made in that.
func (i *Instance) below() []string {
	out := []string{i.env.maker.Cgroup}
	if dirs := i.holds().Dirs(); out[0] != "" && len(dirs) > 0 {
		if all, _ := filepath.Glob(filepath.Join(dirs[0], out[0], "*", "cgroup.procs")); len(all) == 1 {
			out = append(out, filepath.Base(filepath.Dir(all[0])))
		}
	}
	return out
}

// Meter tells what the workload and its descendants cost. The program that made them
// isn't counted.
func (i *Instance) Meter() (c bench.Cost, err error) {
	w := i.workload()
	if w == nil && !i.env.maker.Relays {
		return c, os.ErrProcessDone
	}
	if err := c.AddGroup(i.holds(), i.below()...); err != nil {
		return c, err
	}
	all := tree(i.PID()) // what answers its system calls is a process like any other
	if !i.env.maker.Relays {
		all = append([]process{*w}, tree(w.pid)...)
	}
	for _, p := range all {
		if err := c.AddProcesses(p.pid); err != nil {
			return c, err
		}
	}
	return c, nil
}
