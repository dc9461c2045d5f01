package docker

import (
	"context"
	"os"
	"path/filepath"

	"github.com/moby/moby/client"

	"lab/bench"
	"lab/bench/launch"
	"lab/bench/proc"
)

// What is known of a container while it runs, and of the engine.

// Inspect names the workload's process and its namespaces.
func (i *instance) Inspect() (map[string]string, error) {
	if i.engine.others { // its processes' numbers aren't those of the testbed's PID namespace
		return map[string]string{"container": i.id}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), endWithin)
	defer cancel()
	c, err := i.api.ContainerInspect(ctx, i.id, client.ContainerInspectOptions{})
	if err != nil {
		return nil, err
	}
	if c.Container.State == nil || c.Container.State.Pid == 0 {
		return nil, os.ErrProcessDone
	}
	return launch.Namespaces(c.Container.State.Pid)
}

// Meter tells what the workload and its descendants cost. The engine, the shim included,
// isn't counted: see the Env's.
func (i *instance) Meter() (c bench.Cost, err error) {
	if i.over() && !i.engine.others {
		return c, os.ErrProcessDone
	}
	return i.meter()
}

func (i *instance) meter() (c bench.Cost, err error) {
	switch {
	case i.engine.others:
		return c, bench.NotApplicable("another's engine has the container in a cgroup of its own", i.env.ownCure())
	case i.group == nil:
		return c, os.ErrProcessDone
	}
	i.learn()
	if err := c.AddGroup(i.group, i.id); err != nil {
		return c, err
	}
	all, err := i.group.Processes(i.id)
	if err != nil {
		return c, err
	}
	err = c.AddProcesses(all...)
	return c, err
}

// Meter tells what the engine costs: dockerd, containerd, and the shims of all containers.
func (e *Env) Meter() (c bench.Cost, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range e.daemons {
		if d.others {
			continue // whatever else it serves
		}
		all := append(d.shims(""), d.proc.PID())
		if err := c.AddProcesses(append(all, proc.Children(d.proc.PID())...)...); err != nil {
			return c, err
		}
	}
	return c, nil
}

// Addr is the address on the bridge, or "".
func (i *instance) Addr() string {
	if i.network == nil {
		return ""
	}
	return i.addr.Addr().String()
}

// Place is where what it writes lies in the work folder, with Spec.Work.
func (i *instance) Place() string { return "/tmp" }

// LastPhase is what follows the last mark: shim, runtime and the workload's own start.
func (i *instance) LastPhase() string { return "start" }

// Loads is the engine's copy of the image, which the overlay shows.
func (i *instance) Loads() []string {
	if i.unfit != nil || i.image.folder == "" {
		return nil
	}
	return []string{filepath.Join(i.image.folder, i.order.Argv[0])}
}
