package container

import (
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
	"lab/bench/launch"
)

// plan is the order in which a container is made.
func (c *container) plan() launch.Plan {
	p := launch.Plan{
		Command: c.spec.Command,
		Pinned:  true,
		Init:    c.spec.Init,
		Steps: []launch.Step{
			{Name: "namespaces", Do: c.unshare},
			{Name: "root", Do: c.makeRoot},
			{Name: "/dev", Do: c.makeDev},
			{Name: "/sys", Do: c.makeSys},
		},
		Inside:   c.inside,
		Leave:    c.leave,
		Terminal: c.terminal,
		Null:     func() *os.File { return openNull(c.dev, "null") },
	}
	if c.on("overlay") && !c.spec.Work {
		p.Names = func() int { return c.names }
	}
	if len(c.spec.Ports) > 0 {
		// First: the listener's namespace is the one that the thread begins in.
		p.Steps = slices.Insert(p.Steps, 0, launch.Step{Name: "ports", Do: c.publish})
	}
	if len(c.spec.Mounts) > 0 || c.bound() {
		p.Steps = append(p.Steps, launch.Step{Name: "volumes", Do: c.bind})
	}
	if c.spec.Settings["net"] != "host" {
		p.Steps = append(p.Steps, launch.Step{Name: "network", Do: c.connect})
	}
	p.Steps = append(p.Steps, launch.Step{Name: "pivot_root", Do: c.pivot})
	c.confine(&p)
	if c.on("pid") {
		// The PID namespace alone comes with the clone: unshare(2) would
		// give it to the thread's children, and the Go runtime forks some
		// of its own.
		p.Flags |= unix.CLONE_NEWPID
	}
	if c.env.Groups(c.spec) > 0 && c.env.tb != nil && c.env.tb.Cgroups != nil {
		p.Group = func() (*cgroup.Group, error) { return c.env.tb.Cgroups.New(c.spec.Limits) }
	}
	if c.network != nil || c.spec.Work {
		p.Cleanup = c.cleanup
	}
	return p
}

// cleanup undoes what the kernel doesn't when the program has ended.
func (c *container) cleanup() (err error) {
	if c.layer != "" {
		err = os.RemoveAll(c.layer)
	}
	for _, p := range c.published {
		err = errors.Join(err, p.Close())
	}
	if c.network != nil {
		err = errors.Join(err, c.network.Disconnect(c.addr))
		c.network.Release(c.addr)
	}
	return err
}

// confine adds what holds for every program that runs inside, the container's
// first one and each that joins it: what it may not do, and where it is. The
// step comes last, as the others need what it takes away.
func (c *container) confine(p *launch.Plan) {
	if c.spec.Settings["caps"] != "all" && !c.mapped() {
		p.Steps = append(p.Steps, launch.Step{Name: "privileges", Do: c.drop})
	}
	if c.spec.Settings["seccomp"] != "none" {
		p.Privileges = c.seccomp
	}
	if p.Command.Dir == "" {
		p.Command.Dir = "/"
	}
}

// inside is what the child does in its new namespaces, before exec.
func (c *container) inside(t *launch.Thread, tape *launch.Tape) error {
	c.mountProc(tape)
	tape.Mark("/proc")
	if c.timed() {
		c.newTime(tape, c.hostProc)
	}
	if c.mapped() {
		c.becomeRoot(tape, c.users)
		// A copy of all that was mounted, which belongs to the user
		// namespace; in it what covers something can't be taken away, nor
		// can a read-only mount be made writable (mount_namespaces(7)).
		tape.Call("unshare the mount namespace", unix.SYS_UNSHARE, unix.CLONE_NEWNS)
	}
	if c.on("cgroup") {
		// After it entered its cgroup: a cgroup namespace takes the folder
		// its maker is in for the root of what can be seen
		// (cgroup_namespaces(7)).
		tape.Call("unshare the cgroup namespace", unix.SYS_UNSHARE, unix.CLONE_NEWCGROUP)
	}
	return nil
}
