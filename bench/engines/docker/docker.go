// Package docker has containers made by Docker's engine, asked through its API as the
// command docker asks it.
//
// # Whose engine
//
// By default a daemon of the lab's own, which dockerd's own containerd comes with: in the
// testbed's network namespace and a mount namespace of its own, with sockets, images and
// state in the testbed's folder, or in the work folder where there is one. It is started
// once a run, before anything is timed, and ends with the testbed's PID namespace, however
// that ends. The user's own Docker, its images, networks and firewall rules aren't touched:
// the lab's daemon makes no rules (the testbed has no way out that rules could be for), and
// its containers' bridge is the testbed's.
//
// # What is timed
//
// What "docker run" does after its program was loaded: create, attach, wait, start. It is
// a whole call of the engine, and never ranked with what is made in process.
//
// With engine=system it is the machine's own engine that is asked, on its standard socket,
// with engine=remote another machine's: its containers stand in its own cgroups, and what
// the lab gave it is removed again (others.go). In the environment docker-vm the engine is
// in a guest (guest.go). With client=docker it is the command docker that asks
// (command.go).
//
// daemon.go starts and ends the engine, mounts.go says what it sees, image.go gives it the
// image. options.go says what a container is to be, instance.go makes it, end.go ends it;
// exec.go enters it, stream.go is its input and output, conn.go has the connections to the
// engine, meter.go tells what both cost.
package docker

import (
	"context"
	"fmt"
	"os/exec"
	"sync"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/foreign"
	"lab/bench/testbed"
)

// An Env is the environment docker.
type Env struct {
	*foreign.Env
	tb    *testbed.Testbed
	guest guests // in one of which the engine is, or nil

	mu      sync.Mutex // guards what follows
	daemons map[which]*daemon
}

// A which is one of the engines that an environment may have.
type which struct {
	engine string // what the setting says, or inside
	disk   bool   // with its images in the work folder, and not in memory
	guest  string // of which kind, for one inside
}

// What the setting engine may be.
const (
	private = "private"
	overTCP = "tcp"
	system  = "system"
	remote  = "remote"
	inside  = "inside" // a guest's: not the setting's, but the environment's
)

// which is the engine that a Spec asks for.
func (e *Env) which(s bench.Spec) which {
	if e.guest != nil {
		return which{engine: inside, guest: fmt.Sprint(e.guestSettings(s))}
	}
	return which{engine: s.Settings["engine"], disk: s.Work || bench.Cold(s)}
}

// own says whether that is an engine of the lab's.
func (w which) own() bool { return w.engine != system && w.engine != remote && w.engine != inside }

// New returns the environment.
func New() *Env {
	e := &Env{daemons: map[which]*daemon{}}
	m := foreign.Maker{
		Name: "docker", Program: "dockerd", Package: "docker.io", Check: e.check, Prepare: e.prepare,
		Settings: []bench.Setting{
			{Name: "engine", Values: []string{private, overTCP, system, remote}, Default: private,
				Help: "whose engine: the lab's own, asked by its socket or over TCP (loopback), this machine's, or the one that DOCKER_HOST names"},
			{Name: "client", Values: []string{"lab", "docker"}, Default: "lab",
				Help: "who asks the engine: the lab, by the calls that docker run makes, or the command docker run itself"},
			{Name: "runtime", Values: []string{"runc", "crun", "runsc"}, Default: "runc", Help: "which OCI runtime the engine calls for each container"},
			{Name: "seccomp", Values: []string{"default", "none"}, Default: "default",
				Help: "which system calls are allowed: those that Docker allows, or all"},
		},
	}
	m.About.Is, m.About.Groups = "a container that Docker's engine makes", []string{"engines"}
	m.About.Apart = true
	m.About.Needs = "root, overlayfs, dockerd"
	m.About.More = "The engine is a private one: the lab starts dockerd and containerd once a run, with sockets, images and networks of their own, and ends them with it. " +
		"Your own Docker isn't asked, and isn't changed, unless you say engine=system: then this machine's engine is asked, on its socket, and what the lab put there is removed again. Its containers stand in its own cgroups, whose memory and time the lab doesn't count, and on its own bridge. " +
		"engine=remote is likewise the engine that DOCKER_HOST names (tcp://HOST:PORT, without TLS: lead one with TLS to here, ssh -L 2375:/run/docker.sock HOST); the image is sent there. The image is imported once, by its digest. " +
		"With engine=tcp whatever shares the testbed's network can ask the engine, too: a container with net=host of the same run. " +
		"Of Docker's defaults three are changed: the log driver is none, a container has a cgroup namespace of its own also on cgroup v1, and the engine makes no firewall rules, as no packet leaves the testbed."
	m.With = []string{"containerd", "runc"}
	e.Env = foreign.New(m)
	return e
}

// About says that what is timed is a call of the engine, which is running.
func (e *Env) About() bench.About {
	a := e.Env.About()
	a.Caveat = "a whole call of Docker's engine, which is running: create, attach, start, as docker run asks for them; the time to load the program docker isn't in it"
	return a
}

// Open keeps the testbed. The engine is started when it is first needed.
func (e *Env) Open(ctx context.Context, tb *testbed.Testbed) error {
	e.tb = tb
	return e.Env.Open(ctx, tb)
}

// Groups is 1: the container's limits are those of a cgroup around its own. The command
// docker has to be told of that one before it is made.
func (e *Env) Groups(s bench.Spec) int {
	if s.Settings["client"] == "docker" {
		return 2
	}
	return 1
}

// engineMemory is what the engine takes in all, with the lab, until a first container ran.
const engineMemory = 128 << 20

// check says what of a Spec the engine can't do here.
func (e *Env) check(s bench.Spec) error {
	if !e.tb.Private {
		return bench.Unavailable("the engine wants a testbed with namespaces of its own", "lab run, or lab exec docker")
	}
	// By the limit, as what is used now is mostly files that the kernel may drop.
	if l, err := cgroup.Read(); err == nil {
		if _, by, ok := l.Left("memory"); ok && by.Value < engineMemory {
			return bench.Unavailable(fmt.Sprintf("dockerd, containerd and an image need %d MiB, and the cgroup %s allows %s of memory", engineMemory>>20, by.Dir, by.Text),
				"start the lab from a shell outside of it, or raise its memory limit")
		}
	}
	if _, err := exec.LookPath("docker"); s.Settings["client"] == "docker" && err != nil {
		return bench.Unavailable("the command docker isn't installed", "apt-get install docker.io")
	}
	if !e.which(s).own() {
		return e.checkOthers(s)
	}
	if bench.Cold(s) && e.tb.Work == "" {
		return bench.Unavailable("without a work folder the engine's images are in memory, and can't be cold", "--variant pagecache=warm")
	}
	if r := s.Settings["runtime"]; r != "" {
		if _, err := exec.LookPath(r); err != nil {
			return bench.Unavailable("the runtime "+r+" isn't installed", "apt-get install "+r)
		}
	}
	return nil
}

// prepare starts the engine where it isn't running, gives it the image, and reserves an
// address.
func (e *Env) prepare(ctx context.Context, _ *foreign.Env, s bench.Spec) (bench.Instance, error) {
	d, err := e.engine(ctx, s)
	if err != nil {
		return nil, bench.Blamed(bench.BlameMachine, err)
	}
	i, err := newInstance(ctx, e, d, s)
	if err == nil && s.Settings["client"] == "docker" {
		return newCommand(i), nil
	}
	return i, err
}

// Describe says what Prepare and Start do.
func (e *Env) Describe(s bench.Spec) (prepare, start []string) {
	prepare = []string{"start dockerd and its containerd", "import the image"}
	network := ""
	if s.Settings["net"] == foreign.NetBridge {
		prepare = append(prepare, "make Docker's network on the testbed's bridge, reserve an address")
		network = ", the veth pair, address, route and name server"
	}
	if s.Settings["client"] == "docker" {
		return prepare, []string{"make the cgroup for the limits", "execute docker run", "it asks the engine: create, attach, wait, start", "execute"}
	}
	return prepare, []string{"make the cgroup for the limits", "create: write the configuration, make the overlay's folders", "attach to its output, ask for its end",
		"start: mount the overlay, make the network namespace" + network + "; containerd starts a shim, the shim the runtime, and that makes namespaces, mounts and filter", "execute"}
}

// Close ends the engine.
func (e *Env) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for w, d := range e.daemons {
		d.stop()
		delete(e.daemons, w)
	}
	return e.Env.Close()
}
