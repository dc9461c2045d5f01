package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/foreign"
	"lab/bench/input"
	"lab/bench/launch"
)

// A command is a container that the command docker run asks for: the same container, with
// its own client in the time. Its descriptors are the workload's, and it is asked to hand
// on what signals it gets.
type command struct {
	*launch.Process
	i *instance
}

// newCommand makes of an instance that the lab would ask for one that docker run does.
func newCommand(i *instance) *command {
	c := &command{i: i}
	if !i.engine.others {
		i.parent = i.env.tb.Cgroups.Reserve()
	}
	spec := i.spec.Command
	spec.User, spec.Dir, spec.Env = bench.User{}, "/", []string{"PATH=" + bench.DefaultPath, "HOME=" + i.env.tb.Dir}
	spec.Argv = append([]string{"docker"}, i.flags()...)
	c.Process = launch.New(launch.Plan{Command: spec,
		Steps: []launch.Step{{Name: "cgroup", Do: func(*launch.Thread) error { return bench.Blamed(bench.BlameMachine, i.makeGroup()) }}}})
	i.id, i.begun = i.order.ID, true // its name; the instance itself isn't started
	close(i.started)
	close(i.ended)
	return c
}

// flags are the command's arguments, for the container that options would ask for.
func (i *instance) flags() []string {
	o := i.options()
	h, c := o.HostConfig, o.Config
	out := []string{"--host", i.engine.route.flag(), "run", "--rm", "--pull", "never", "--name", o.Name, "--network", string(h.NetworkMode),
		"--log-driver", h.LogConfig.Type, "--hostname", c.Hostname, "--user", c.User, "--workdir", c.WorkingDir}
	if !i.engine.others {
		out = append(out, "--cidfile", i.idFile())
	}
	flag := func(name, value string) {
		if value != "" {
			out = append(out, name, value)
		}
	}
	flag("--runtime", h.Runtime)
	flag("--cgroupns", string(h.CgroupnsMode))
	flag("--cgroup-parent", h.CgroupParent)
	if i.addr.IsValid() {
		flag("--ip", i.addr.Addr().String())
	}
	for _, v := range h.SecurityOpt {
		flag("--security-opt", v)
	}
	for _, v := range h.Binds {
		flag("--volume", v)
	}
	for _, v := range h.GroupAdd {
		flag("--group-add", v)
	}
	for _, v := range c.Env {
		flag("--env", v)
	}
	for k, v := range c.Labels {
		flag("--label", k+"="+v)
	}
	if h.NanoCPUs > 0 {
		flag("--cpus", fmt.Sprint(float64(h.NanoCPUs)/1e9))
	}
	flag("--cpuset-cpus", h.CpusetCpus)
	if h.Memory > 0 {
		out = append(out, "--memory", fmt.Sprint(h.Memory), "--memory-swap", fmt.Sprint(h.MemorySwap))
	}
	if h.PidsLimit != nil {
		flag("--pids-limit", fmt.Sprint(*h.PidsLimit))
	}
	if c.Tty {
		out = append(out, "--tty")
	}
	if i.spec.Command.Stdin != nil || c.Tty {
		out = append(out, "--interactive")
	}
	return append(append(out, c.Image), c.Cmd...)
}

// idFile is where docker run writes the container's ID.
func (i *instance) idFile() string { return filepath.Join(i.engine.bed, i.order.ID) }

// learn reads the container's ID, where docker run has had it made: by its name the engine
// knows it, too, but its cgroup and its shim don't.
func (i *instance) learn() {
	if i.parent == "" {
		return
	}
	if b, err := input.Kernel(i.idFile()); err == nil && len(b) > 0 {
		i.id = string(b)
	}
}

// Start executes docker run.
func (c *command) Start(ctx context.Context) error {
	if c.i.unfit != nil {
		c.Process.Close()
		return c.i.unfit
	}
	return c.Process.Start(ctx)
}

// LastPhase is what follows the last mark: client, engine, shim, runtime.
func (c *command) LastPhase() string { return "docker run" }

// Signal sends a signal to the program, by way of the client.
func (c *command) Signal(sig os.Signal) error {
	if sig != syscall.SIGKILL || c.PID() == 0 {
		return c.Process.Signal(sig)
	}
	select {
	case <-c.Done():
		return os.ErrProcessDone
	default:
	}
	c.i.killed.Store(true)
	ctx, cancel := context.WithTimeout(c.i.life, endWithin)
	defer cancel()
	_, err := c.i.api.ContainerKill(ctx, c.i.id, client.ContainerKillOptions{Signal: "KILL"})
	if errdefs.IsNotFound(err) || errdefs.IsConflict(err) { // not yet there, or no more
		return c.Process.Signal(sig)
	}
	return err
}

// Wait waits for the client's end, whose status is the workload's.
func (c *command) Wait(ctx context.Context) (bench.Exit, error) {
	x, err := c.Process.Wait(ctx)
	x = foreign.OfShell(x)
	if g := c.i.group; g != nil && err == nil {
		x.OOM = x.Signal == int(unix.SIGKILL) && (g.OOMKilled() || g.Hit() && !c.i.killed.Load())
		if user, system, err := g.CPU(); err == nil {
			x.Usage.User, x.Usage.System = user, system
		}
	}
	if err == nil && x.Code == 125 {
		err = bench.Blamed(bench.BlameMachine, errors.New("docker run failed (exit status 125); fix: lab exec docker without client=docker says more"))
	}
	return x, err
}

// Close ends the client, and undoes everything.
func (c *command) Close() error { return errors.Join(c.Process.Close(), c.i.Close()) }

// Explain adds what became of the client.
func (c *command) Explain(err error) error {
	select {
	case <-c.Done():
		x, werr := c.Wait(context.Background())
		return fmt.Errorf("%w; docker run has ended: %v", err, errors.Join(werr, errors.New(x.String())))
	default:
		return err
	}
}

// Addr is the address on the bridge, or "".
func (c *command) Addr() string { return c.i.Addr() }

// Place is where what it writes lies in the work folder, with Spec.Work.
func (c *command) Place() string { return c.i.Place() }

// Loads is the engine's copy of the image.
func (c *command) Loads() []string { return c.i.Loads() }

// Inspect names the workload's process and its namespaces.
func (c *command) Inspect() (map[string]string, error) { return c.i.Inspect() }

// Meter tells what the workload costs, without the client.
func (c *command) Meter() (bench.Cost, error) {
	select {
	case <-c.Done():
		return bench.Cost{}, os.ErrProcessDone
	default:
		return c.i.meter()
	}
}

// Exec prepares a further command in the container.
func (c *command) Exec(ctx context.Context, x bench.Command) (bench.Process, error) {
	return c.i.Exec(ctx, x)
}
