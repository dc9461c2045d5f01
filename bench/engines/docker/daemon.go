package docker

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/clean"
	"lab/bench/input"
	"lab/bench/launch"
	"lab/bench/probe"
	"lab/bench/proc"
	"lab/bench/testbed"
)

// How long the engine may take. Variables for the tests alone.
var (
	engineWithin = time.Minute      // until it answers; half a second here
	startWithin  = 20 * time.Second // for a container's start
	endWithin    = 5 * time.Second  // for a container's end, or the engine's
)

// A daemon is a dockerd of the lab's own, with the containerd that it starts.
type daemon struct {
	tb      *testbed.Testbed
	route   route  // to it
	others  bool   // it isn't the lab's own: what follows up to init is empty then
	bed     string // its folder: sockets, configuration, state
	data    string // where its images and containers are
	init    string // the lab's init, for those that want one
	version string // of its API
	proc    *launch.Process
	guest   bench.Instance // that it is in, or nil
	ended   chan struct{}
	silent  bool // it left a call without an answer; guarded by the Env's mu

	mu     sync.Mutex // guards what follows
	images map[string]stored
	net    string // its network on the testbed's bridge; "" before the first that wants it
}

// engine is the running engine, started where it isn't.
func (e *Env) engine(ctx context.Context, s bench.Spec) (*daemon, error) {
	w := e.which(s)
	e.mu.Lock()
	defer e.mu.Unlock()
	d := e.daemons[w]
	if d != nil && d.alive() && !d.silent {
		return d, nil
	}
	if d != nil {
		d.stop()
		delete(e.daemons, w)
	}
	var err error
	switch w.engine {
	case system:
		if d, err = theirs(ctx, e.tb, route{network: "unix", address: systemSocket}); err == nil {
			err = d.sweep(ctx)
		}
	case remote:
		d, err = theirs(ctx, e.tb, route{open: e.tb.Outside})
	case inside:
		d, err = e.inGuest(ctx, s)
	default:
		d, err = start(ctx, e.tb, w)
	}
	if err == nil {
		e.daemons[w] = d
	}
	return d, err
}

// broken has the engine replaced before the next instance is prepared.
func (e *Env) broken(d *daemon) {
	e.mu.Lock()
	defer e.mu.Unlock()
	d.silent = true
}

// alive says whether its process is there.
func (d *daemon) alive() bool { return !done(d.ended) }

// free is an address of the testbed's loopback device that nobody listens on.
func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// start starts an engine, and returns when it answers.
func start(ctx context.Context, tb *testbed.Testbed, w which) (_ *daemon, err error) {
	path, err := exec.LookPath("dockerd")
	if err != nil {
		return nil, err
	}
	d := &daemon{tb: tb, ended: make(chan struct{}), images: map[string]stored{}}
	if d.bed, err = os.MkdirTemp(tb.Dir, "docker-"); err != nil {
		return nil, err
	}
	d.route = route{network: "unix", address: filepath.Join(d.bed, "docker.sock")}
	if w.engine == overTCP {
		d.route.network = "tcp"
		if d.route.address, err = free(); err != nil {
			return nil, err
		}
	}
	d.data = filepath.Join(d.bed, "data")
	if w.disk {
		if d.data, err = os.MkdirTemp(tb.Work, "docker-"); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Join(d.bed, "data"), 0o755); err != nil {
		return nil, err
	}
	d.init = filepath.Join(d.bed, "init")
	if err := os.WriteFile(d.init, probe.Init(), 0o755); err != nil {
		return nil, err
	}
	// What is known of runtimes is where they are: a user's configuration isn't read.
	runtimes := map[string]map[string]string{}
	for _, name := range []string{"crun", "runsc"} {
		if p, err := exec.LookPath(name); err == nil {
			runtimes[name] = map[string]string{"path": p}
		}
	}
	conf, err := json.Marshal(map[string]any{"runtimes": runtimes})
	if err != nil {
		return nil, err
	}
	confFile := filepath.Join(d.bed, "daemon.json")
	if err := os.WriteFile(confFile, conf, 0o600); err != nil {
		return nil, err
	}
	log, err := tb.Log("dockerd.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.proc = launch.New(launch.Plan{
		Command: bench.Command{
			Argv: []string{path, "--config-file", confFile, "--host", d.route.flag(), "--tls=false", "--data-root", d.data,
				"--exec-root", filepath.Join("/run", d.name()), "--pidfile", "/run/docker.pid",
				"--storage-driver", "overlay2", "--exec-opt", "native.cgroupdriver=cgroupfs",
				"--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"},
			// With a value for container it takes no AppArmor, whose profiles are the machine's.
			Env: []string{"PATH=" + bench.DefaultPath, "HOME=" + d.bed, "container=lab"},
			Dir: "/", Stdout: log, Stderr: log,
		},
		Steps: []launch.Step{{Name: "mounts", Do: func(*launch.Thread) error { return enter(tb, d.bed) }}},
	})
	from, _ := log.Seek(0, 2)
	if err := d.proc.Start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", path, err), d.proc.Close())
	}
	go func() {
		defer close(d.ended)
		d.proc.Wait(context.Background())
	}()
	if err := d.await(ctx); err != nil {
		d.stop()
		return nil, fmt.Errorf("start %s: %w%s", path, err, complaint(log, from))
	}
	return d, nil
}

// await waits until the engine answers, and learns its API's version.
func (d *daemon) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, engineWithin)
	defer cancel()
	for {
		api, err := d.dial()
		if err != nil {
			return err
		}
		_, err = api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
		v := api.ClientVersion()
		api.close()
		if err == nil {
			d.version = v
			return nil
		}
		if err = cmp.Or(api.lost, err); d.others && d.guest == nil { // it runs, or it doesn't
			return fmt.Errorf("no answer: %w", err)
		}
		select {
		case <-d.ended:
			return errors.New("it ended")
		case <-ctx.Done():
			return fmt.Errorf("no answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// call is the error of a call of the engine, named by what it was to do. Where the engine
// has died, or is about to, the broken connection says nothing: how it ended does.
func (d *daemon) call(what string, err error) error {
	select {
	case <-d.ended:
		if d.guest != nil {
			return bench.Explain(d.guest, fmt.Errorf("docker: %s: the guest that the engine is in has ended", what))
		}
		x, _ := d.proc.Wait(context.Background())
		how := x.String() + "; fix: try dockerd by hand"
		if x.Signal == int(unix.SIGKILL) {
			how = "it was killed, as the kernel does when memory runs out; fix: more memory for the lab"
		}
		return fmt.Errorf("docker: %s: the engine (dockerd) ended: %s", what, how)
	case <-time.After(200 * time.Millisecond):
		return fmt.Errorf("docker: %s: %w", what, err)
	}
}

// complaint is the last error in a log, as the end of an error.
func complaint(log *os.File, from int64) string {
	text, err := input.Kernel(fmt.Sprintf("/proc/self/fd/%d", log.Fd()))
	if err != nil {
		return ""
	}
	last := ""
	for line := range bytes.Lines(text[min(from, int64(len(text))):]) {
		if l := strings.TrimSpace(string(line)); l != "" && (last == "" || strings.Contains(l, "failed") || strings.Contains(l, "level=error")) {
			last = l
		}
	}
	if last == "" {
		return ""
	}
	const most = 300
	return ": " + clean.Text(strings.ToValidUTF8(last[:min(len(last), most)], ""))
}

// network is the name of the engine's network on the testbed's bridge.
func (d *daemon) network(ctx context.Context, api *conn, n *testbed.Network) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.net != "" {
		return d.net, nil
	}
	_, err := api.NetworkCreate(ctx, "lab", client.NetworkCreateOptions{Driver: "bridge",
		IPAM:    &network.IPAM{Config: []network.IPAMConfig{{Subnet: testbed.Subnet, Gateway: n.Gateway}}},
		Options: map[string]string{"com.docker.network.bridge.name": testbed.Bridge}})
	if err != nil {
		return "", d.call("make its network on "+testbed.Bridge, err)
	}
	d.net = "lab"
	return d.net, nil
}

// stop ends the engine: first by asking, then what is left of it.
func (d *daemon) stop() {
	switch {
	case d.guest != nil:
		d.guest.Close()
		return
	case d.others:
		d.leave()
		return
	}
	if d.alive() && !d.silent {
		d.proc.Signal(syscall.SIGTERM)
		select {
		case <-d.ended:
		case <-time.After(endWithin):
		}
	}
	d.proc.Close() // containerd is killed with its parent
	d.killShims("")
	d.unshim("")
	os.RemoveAll(d.data)
	os.RemoveAll(d.bed)
}

// name is the engine's, in the command lines of its shims.
func (d *daemon) name() string { return filepath.Base(d.bed) }

// shims are the processes between containerd and a container: that of one with an ID, or
// all of them; with those that are ending, of which it isn't known whose they are. They
// are nobody's children, which in the testbed are its first process's.
func (d *daemon) shims(id string) (out []int) {
	for _, pid := range proc.Children(os.Getpid()) {
		s, ok := proc.Read(pid)
		b, err := input.Kernel(fmt.Sprintf("/proc/%d/cmdline", pid))
		ours := len(b) == 0 || bytes.Contains(b, []byte(d.name())) && bytes.Contains(b, []byte(id))
		if ok && err == nil && ours && strings.HasPrefix(s.Name, "containerd-shim") {
			out = append(out, pid)
		}
	}
	return out
}

// killShims kills those that no containerd ends any more.
func (d *daemon) killShims(id string) {
	for _, pid := range d.shims(id) {
		unix.Kill(pid, unix.SIGKILL)
	}
}

// unshim waits until the shim of a container is gone, or all are: they end a little later
// than the engine says that they did.
func (d *daemon) unshim(id string) {
	for end := time.Now().Add(endWithin); ; time.Sleep(500 * time.Microsecond) {
		testbed.Reap()
		if len(d.shims(id)) == 0 || time.Now().After(end) {
			return
		}
	}
}
