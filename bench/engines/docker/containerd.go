package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lab/bench"
	"lab/bench/foreign"
	"lab/bench/image"
	"lab/bench/proc"
	"lab/bench/testbed"
)

// A Containerd is the environment containerd: what Docker's engine asks for a container,
// asked without Docker's engine, by containerd's own command ctr. The daemon is the one
// that a private dockerd has started, and its image the one that this dockerd has.
type Containerd struct {
	*foreign.Env
	engine  *Env
	entered atomic.Int64 // how many further commands there were

	mu     sync.Mutex                   // guards what follows
	images map[*daemon]map[string]error // what each was given, by digest, and how that went
	now    map[which]*daemon            // those that are in use
}

// space is the namespace of containerd's in which the lab's containers are.
const space = "lab"

// NewContainerd returns the environment.
func NewContainerd() *Containerd {
	e := &Containerd{engine: New(), images: map[*daemon]map[string]error{}, now: map[which]*daemon{}}
	m := foreign.Maker{Name: "containerd", Program: "ctr", Package: "docker.io", Check: e.check, Prepare: e.prepare, Args: e.args,
		Enter: func(o *foreign.Order, c bench.Command) []string {
			out := append(e.ctr(e.daemon(o.Spec))[1:], "tasks", "exec", "--exec-id", fmt.Sprintf("lab-%d", e.entered.Add(1)), "--fifo-dir", filepath.Join(e.daemon(o.Spec).bed, "fifo"))
			c.Env = nil // it takes none
			return append(append(append(out, foreign.EnterFlags("--cwd", c)...), o.ID), c.Argv...)
		},
		Nets: []string{foreign.NetNone, foreign.NetHost}, Store: "containerd", Cgroup: "container", Monitor: "containerd-shim",
		Settings: []bench.Setting{
			{Name: "runtime", Values: []string{"runc", "crun"}, Default: "runc", Help: "which OCI runtime containerd's shim calls"},
			{Name: "seccomp", Values: []string{"default", "none"}, Default: "default", Help: "which system calls are allowed: those that containerd allows, or all"},
		},
		Start: []string{"ctr asks containerd for a layer over the image, and for a container", "containerd starts a shim, the shim the runtime, and that makes cgroup, namespaces, mounts and filter", "execute"}}
	m.About.Is, m.About.Groups, m.About.Apart = "a container that containerd makes, without Docker's engine", []string{"engines"}, true
	m.About.More = "The daemon is a private one, which a dockerd of the lab's own has started, as for docker: a row of each, and one of runc, say what each layer of the engine adds. " +
		"Its command ctr takes no user and no host name, knows no bridge, and misses the end of an input that is over before its container is made."
	e.Env = foreign.New(m)
	return e
}

// Open keeps the testbed. The engine is started when it is first needed.
func (e *Containerd) Open(ctx context.Context, tb *testbed.Testbed) error {
	return errors.Join(e.engine.Open(ctx, tb), e.Env.Open(ctx, tb))
}

func (e *Containerd) check(s bench.Spec) error {
	if _, err := exec.LookPath("dockerd"); err != nil {
		return bench.Unavailable("its containerd is one that dockerd starts, which isn't installed", "apt-get install docker.io")
	}
	switch {
	case !s.Command.User.IsRoot():
		return bench.NotApplicable("ctr takes no user", "run as root inside, or --env runc")
	case s.Hostname != "":
		return bench.NotApplicable("ctr takes no host name", "leave it out, or --env runc")
	}
	return e.engine.check(s)
}

// prepare starts the engine where it isn't running, and gives containerd the image.
func (e *Containerd) prepare(ctx context.Context, _ *foreign.Env, s bench.Spec) (bench.Instance, error) {
	d, err := e.engine.engine(ctx, s)
	if err == nil {
		err = e.load(ctx, d, s.Image)
	}
	if err != nil {
		return nil, bench.Blamed(bench.BlameMachine, err)
	}
	e.mu.Lock()
	e.now[e.engine.which(s)] = d
	e.mu.Unlock()
	if s.Command.Stdin != nil || s.Command.TTY {
		return e.Program(s)
	}
	i := &quiet{}
	if s.Command.Stdin, i.hold, err = os.Pipe(); err != nil {
		return nil, err
	}
	i.in = s.Command.Stdin
	if i.Instance, err = e.Program(s); err != nil {
		i.in.Close()
		i.hold.Close()
		return nil, err
	}
	return i, nil
}

// A quiet instance has no input. Its end comes when the workload runs: ctr would miss one
// that came before the container was made, and leave the workload waiting for it.
type quiet struct {
	*foreign.Instance
	in, hold *os.File
}

// Start runs ctr.
func (i *quiet) Start(ctx context.Context) error {
	err := i.Instance.Start(ctx)
	go func() {
		defer i.hold.Close()
		for !i.runs() {
			select {
			case <-i.Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return err
}

// runs says whether the container's first process is the workload, and the runtime no more.
func (i *quiet) runs() bool {
	all, err := i.Inspect()
	if err != nil {
		return false
	}
	pid, _ := strconv.Atoi(all["pid"])
	p, ok := proc.Read(pid)
	return ok && pid != i.PID() && !strings.HasPrefix(p.Name, "runc") && !strings.HasPrefix(p.Name, "crun") && p.Name != "exe"
}

// Close ends what runs still.
func (i *quiet) Close() error {
	err := i.Instance.Close()
	i.in.Close()
	i.hold.Close()
	return err
}

// tag is what an image is called by Docker's engine, and so by containerd.
func tag(digest string) string { return strings.ReplaceAll(digest, ":", "-") }

// load gives containerd the image, the first time: from Docker's engine, which has it.
func (e *Containerd) load(ctx context.Context, d *daemon, ref image.Ref) error {
	digest, err := foreign.Digest(ref)
	if err != nil {
		return err
	}
	api, err := d.dial()
	if err != nil {
		return err
	}
	defer api.close()
	if _, err := d.image(ctx, api, ref); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err, ok := e.images[d][digest]; ok {
		return err
	}
	saved, err := api.ImageSave(ctx, []string{"lab:" + tag(digest)})
	if err != nil {
		return fmt.Errorf("containerd: take the image from docker: %w", err)
	}
	defer saved.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	go func() {
		io.Copy(w, saved)
		w.Close()
	}()
	if _, err = foreign.Run(ctx, d.bed, r, nil, append(e.ctr(d), "images", "import", "--snapshotter", "overlayfs", "-")...); err != nil {
		err = fmt.Errorf("containerd: import the image: %w", err)
	}
	if e.images[d] == nil {
		e.images[d] = map[string]error{}
	}
	e.images[d][digest] = err
	return err
}

// ctr is the command, for a daemon: its socket is seen through dockerd's root.
func (e *Containerd) ctr(d *daemon) []string {
	return []string{"ctr", "--address", fmt.Sprintf("/proc/%d/root/run/%s/containerd/containerd.sock", d.proc.PID(), d.name()), "--namespace", space}
}

// daemon is the one that a Spec's container is in.
func (e *Containerd) daemon(s bench.Spec) *daemon {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now[e.engine.which(s)]
}

// args are "ctr run".
func (e *Containerd) args(o *foreign.Order) []string {
	c, s := o.Spec.Command, o.Spec.Settings
	d := e.daemon(o.Spec)
	out := append(e.ctr(d)[1:], "run", "--rm", "--snapshotter", "overlayfs", "--runc-binary", s["runtime"], "--cgroup", "/"+o.Group+"/container",
		"--fifo-dir", filepath.Join(d.bed, "fifo"), "--cwd", c.Dir)
	if s["net"] == foreign.NetHost {
		out = append(out, "--net-host")
	}
	if s["seccomp"] != "none" {
		out = append(out, "--seccomp")
	}
	if c.TTY {
		out = append(out, "--tty")
	}
	for _, v := range c.Env {
		out = append(out, "--env", v)
	}
	for _, m := range foreign.Mounts(o.Spec, d.init) {
		how := "rbind:rw"
		if m.ReadOnly {
			how = "rbind:ro"
		}
		out = append(out, "--mount", "type=bind,src="+m.Source+",dst="+m.Target+",options="+how)
	}
	digest, _ := foreign.Digest(o.Spec.Image)
	return append(append(out, "docker.io/library/lab:"+tag(digest), o.ID), o.Argv...)
}

// Describe says what Prepare and Start do.
func (e *Containerd) Describe(s bench.Spec) (prepare, start []string) {
	prepare, start = e.Env.Describe(s)
	return append(prepare, "start dockerd and its containerd", "import the image"), start
}

// Meter tells what the engine costs: dockerd, containerd, and the shims of all containers.
func (e *Containerd) Meter() (bench.Cost, error) { return e.engine.Meter() }

// Close ends the engine.
func (e *Containerd) Close() error { return errors.Join(e.engine.Close(), e.Env.Close()) }
