// Package podman has containers made by podman, which has no daemon: each command opens
// the store, writes the container down, and leaves one process with it, conmon, which
// starts the runtime and keeps the container's input, output and exit status.
//
// It is run as its users run it, as the command "podman run". Its images, containers,
// locks and configuration are the lab's own, in the testbed's folder or the work folder:
// the user's podman isn't asked, and isn't changed. store.go makes that store and imports
// the image, before anything is timed; all else is package foreign's.
package podman

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"lab/bench"
	"lab/bench/foreign"
	"lab/bench/input"
	"lab/bench/proc"
	"lab/bench/testbed"
)

// An Env is the environment podman.
type Env struct {
	*foreign.Env
	tb *testbed.Testbed

	mu     sync.Mutex      // guards what follows
	stores map[bool]*store // with their images in the work folder, and in memory
}

// folder is an instance's own, in the testbed's.
const folder = "podman"

// New returns the environment.
func New() *Env {
	e := &Env{stores: map[bool]*store{}}
	m := foreign.Maker{Name: "podman", Program: "podman", Package: "podman", Check: e.check, Prepare: e.prepare,
		Store: folder, Cgroup: "container", PIDFile: "pid", Monitor: "conmon", Hides: []string{"/run"}, Args: e.args,
		Enter: func(o *foreign.Order, c bench.Command) []string {
			out := append(e.store(o.Spec).flags(o.Spec.Settings["runtime"]), "exec", "--interactive", "--detach-keys", "")
			return append(append(append(out, foreign.EnterFlags("--workdir", c)...), o.ID), c.Argv...)
		},
		Binds: func(o *foreign.Order) map[string]string { return map[string]string{locks: e.store(o.Spec).locks()} },
		Settings: []bench.Setting{
			{Name: "runtime", Values: []string{"crun", "runc"}, Default: "crun", Help: "which OCI runtime podman's conmon calls"},
			{Name: "seccomp", Values: []string{"default", "none"}, Default: "default",
				Help: "which system calls are allowed: those that podman allows, or all"},
		},
		Start: []string{"podman opens its store, writes the container down and mounts its overlay", "conmon starts the runtime, and that makes cgroup, namespaces, mounts and filter",
			"podman attaches to conmon's output, has the container started", "execute"}}
	m.About.Is, m.About.Groups, m.About.Apart = "a container that podman makes, without a daemon", []string{"engines"}, true
	m.About.More = "The store is a private one, with images, locks and configuration of its own: your own podman isn't asked, and isn't changed. The image is imported once, by its digest. " +
		"net=bridge is a port that the lab has made, as for crun and runc, and not netavark's network. The command podman stays until the container ends, conmon with it."
	m.With = []string{"conmon", "crun"}
	e.Env = foreign.New(m)
	return e
}

// Open keeps the testbed. The store is made when it is first needed.
func (e *Env) Open(ctx context.Context, tb *testbed.Testbed) error {
	e.tb = tb
	return e.Env.Open(ctx, tb)
}

// check says what of a Spec podman can't do here.
func (e *Env) check(s bench.Spec) error {
	if !e.tb.Private {
		return bench.Unavailable("podman wants a testbed with namespaces of its own", "lab run, or lab exec podman")
	}
	if bench.Cold(s) && e.tb.Work == "" {
		return bench.Unavailable("without a work folder podman's images are in memory, and can't be cold", "--variant pagecache=warm")
	}
	for _, name := range []string{"conmon", s.Settings["runtime"]} {
		if _, err := exec.LookPath(name); name != "" && err != nil {
			return bench.Unavailable("podman needs "+name+", which isn't installed", "apt-get install "+name)
		}
	}
	return nil
}

// An instance is a container whose image is podman's copy.
type instance struct {
	*foreign.Instance
	loads []string
}

// Loads is the workload's program, in podman's copy of the image.
func (i *instance) Loads() []string { return i.loads }

// prepare makes the store, imports the image into it, and reserves an address.
func (e *Env) prepare(ctx context.Context, _ *foreign.Env, s bench.Spec) (bench.Instance, error) {
	st, err := e.open(s)
	if err != nil {
		return nil, bench.Blamed(bench.BlameMachine, err)
	}
	img, err := st.image(ctx, s.Image)
	if err != nil {
		return nil, bench.Blamed(bench.BlameMachine, err)
	}
	i, err := e.Program(s)
	if err != nil {
		return nil, err
	}
	out := &instance{Instance: i}
	if o, err := e.Order(s); err == nil { // else Start says it
		out.loads = []string{filepath.Join(img.folder, o.Argv[0])}
	}
	return out, nil
}

// Describe says what Prepare and Start do.
func (e *Env) Describe(s bench.Spec) (prepare, start []string) {
	prepare, start = e.Env.Describe(s)
	return append(prepare, "import the image into podman's store"), start
}

// args are "podman run".
func (e *Env) args(o *foreign.Order) []string {
	c, s, st := o.Spec.Command, o.Spec.Settings, e.store(o.Spec)
	out := append(st.flags(s["runtime"]), "run", "--rm", "--name", o.ID, "--pull", "never", "--log-driver", "none", "--detach-keys", "",
		"--cgroup-parent", "/container", "--cgroups", "no-conmon", "--cgroupns", "private", "--pids-limit", "-1", "--ulimit", "host",
		"--pidfile", filepath.Join(o.Dir, "pid"),
		"--hostname", o.Host, "--workdir", c.Dir, "--user", fmt.Sprintf("%d:%d", c.User.UID, c.User.GID))
	net := "host" // the namespace that it is in
	if s["net"] == foreign.NetNone {
		net = "none"
	}
	out = append(out, "--network", net)
	for _, g := range c.User.Groups {
		out = append(out, "--group-add", fmt.Sprint(g))
	}
	if s["seccomp"] == "none" {
		out = append(out, "--security-opt", "seccomp=unconfined")
	}
	if on, _ := input.Kernel("/sys/module/apparmor/parameters/enabled"); len(on) > 0 && on[0] == 'Y' {
		out = append(out, "--security-opt", "apparmor=unconfined") // its profile would be the machine's
	}
	if c.TTY {
		out = append(out, "--tty")
	}
	if c.TTY || c.Stdin != nil {
		out = append(out, "--interactive")
	}
	for _, v := range c.Env {
		out = append(out, "--env", v)
	}
	for _, m := range foreign.Mounts(o.Spec, st.init) {
		out = append(out, "--mount", mount(m))
	}
	return append(append(out, st.known(o.Spec.Image)), o.Argv...)
}

// mount is a mount as podman's flag has it: fields with commas between them, quoted as in
// CSV.
func mount(m bench.Mount) string {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write([]string{"type=bind", "source=" + m.Source, "target=" + m.Target, "bind-propagation=rprivate", fmt.Sprintf("readonly=%t", m.ReadOnly)})
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// Meter tells what stays with the containers: conmon, one for each.
func (e *Env) Meter() (c bench.Cost, err error) {
	for _, pid := range proc.Children(os.Getpid()) {
		if p, ok := proc.Read(pid); ok && p.Name == "conmon" && p.State != 'Z' {
			if err := c.AddProcesses(pid); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

// Close removes the stores.
func (e *Env) Close() (err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for disk, s := range e.stores {
		err = s.remove()
		delete(e.stores, disk)
	}
	return err
}
