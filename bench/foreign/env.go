package foreign

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/launch"
	"lab/bench/testbed"
)

// An Env is the environment that a Maker's program makes.
type Env struct {
	maker Maker
	tb    *testbed.Testbed
	path  func() (string, error) // of the program

	try   sync.Once // in Check
	tried error
}

// New returns the environment.
func New(m Maker) *Env { return &Env{maker: m, path: sync.OnceValues(m.find)} }

// Name is the maker's.
func (e *Env) Name() string { return e.maker.Name }

// About is the maker's: what is timed is a whole command.
func (e *Env) About() bench.About {
	a := e.maker.About
	a.Extra, a.WholeCommand, a.Caveat = true, true, "a command as people type it: "+filepath.Base(e.maker.Program)
	if a.Needs == "" {
		a.Needs = "root, overlayfs, " + filepath.Base(e.maker.Program)
	}
	a.Rests = bench.RestsOn("root", "mnt namespace", "pid namespace", "net namespace", "overlayfs")
	if e.maker.Nets == nil || slices.Contains(e.maker.Nets, NetBridge) {
		a.Rests = append(a.Rests, bench.Rest{Check: "veth and bridge", Variant: "net=bridge"})
	}
	return a
}

// Settings are what may be varied.
func (e *Env) Settings() []bench.Setting { return e.maker.settings() }

// Open keeps the testbed.
func (e *Env) Open(_ context.Context, tb *testbed.Testbed) error {
	e.tb = tb
	return nil
}

// Close has nothing to end.
func (e *Env) Close() error { return nil }

// Groups is 1, or 2 for a program that is told which cgroup to use: that one, and
// the program's own. They are what holds an instance.
func (e *Env) Groups(bench.Spec) int {
	if e.maker.Cgroup != "" {
		return 2
	}
	return 1
}

// Versions is the program's.
func (e *Env) Versions() map[string]string {
	path, err := e.path()
	if err != nil {
		return nil
	}
	v, err := Version(path)
	if err != nil {
		return nil
	}
	all := map[string]string{e.maker.Name: v}
	for _, name := range e.maker.With {
		if path, err := exec.LookPath(name); err == nil {
			if v, err := Version(path); err == nil {
				all[name] = v
			}
		}
	}
	return all
}

// Check says what this machine or the program lacks. In a run it also starts an
// instance, once: that a program is there says little.
func (e *Env) Check(ctx context.Context, s bench.Spec) error {
	if os.Geteuid() != 0 {
		return bench.Unavailable("making namespaces and mounts needs root", "sudo lab …")
	}
	path, err := e.path()
	if u := (*bench.UnfitError)(nil); errors.As(err, &u) {
		reason := u.Reason // the error itself is kept, and given to every row
		if e.maker.Program != e.maker.Name {
			reason = e.maker.Program + ": " + reason
		}
		return bench.Unavailable(reason, u.Cure)
	}
	if e.tb.Cgroups == nil {
		return bench.Unavailable("a cgroup holds the instance, and this machine mounts none that can be written", "mount -t cgroup2 none /sys/fs/cgroup, or run outside of a container")
	}
	if err := testbed.CheckPorts(s.Ports); err != nil {
		return bench.NotApplicable(err.Error(), "")
	}
	if net := s.Settings["net"]; len(s.Ports) > 0 && net != NetBridge {
		return bench.NotApplicable("with net="+net+" it has no address that a port could be published from", "--net bridge")
	}
	if s.Work && e.tb.Work == "" {
		return bench.ErrNoWork
	}
	for _, m := range s.Mounts {
		if _, err := os.Stat(m.Source); err != nil {
			return bench.Unavailable("mount: "+err.Error(), "name a folder that exists")
		}
	}
	if e.maker.Check != nil {
		if err := e.maker.Check(s); err != nil {
			return err
		}
	}
	if err := bench.CheckLimits(e.tb, s.Limits); err != nil {
		return err
	}
	if e.tb.Private && s.Image.Dir != "" {
		if _, err := find(s.Image.Dir, bench.Command{Argv: []string{image.ReadyPath}}); err == nil {
			e.try.Do(func() { e.tried = e.startOne(ctx, s, path) })
		}
	}
	return e.tried
}

// startOne starts an instance that says a word, and ends it.
func (e *Env) startOne(ctx context.Context, s bench.Spec, path string) (err error) {
	token, net := bench.Token(), e.maker.settings()[0].Values
	plain := net[len(net)-1] // none of its own, where it can
	if slices.Contains(net, NetHost) {
		plain = NetHost
	}
	settings, err := bench.Resolve(e, map[string]string{"net": plain})
	if err != nil {
		return err
	}
	i, err := e.Prepare(ctx, bench.Spec{Image: s.Image, Settings: settings, Command: bench.Command{Argv: []string{image.ReadyPath, token}}})
	if err != nil {
		return err
	}
	if err = i.Start(ctx); err == nil {
		if _, err = clock.AwaitToken(i.Ready(), []byte(token), StartWithin); err != nil {
			err = bench.Explain(i, err)
		}
	}
	if cerr := i.Close(); err == nil {
		err = cerr
	}
	if err != nil && ctx.Err() == nil {
		return bench.Unavailable("it was tried, and failed: "+err.Error(), "try it by hand: "+path+" --help")
	}
	return err
}

// Prepare reserves an address and makes sure that a disposable thread is there.
// Everything else is made once an instance, in Start.
func (e *Env) Prepare(ctx context.Context, s bench.Spec) (bench.Instance, error) {
	if e.maker.Prepare != nil {
		return e.maker.Prepare(ctx, e, s)
	}
	return e.Program(s)
}

// Program is an instance that is the program itself, with the workload's descriptors.
func (e *Env) Program(s bench.Spec) (*Instance, error) {
	i := e.instance(s)
	if s.Settings["net"] == NetBridge {
		n, err := e.tb.Network()
		if err != nil {
			return nil, err
		}
		if i.addr, err = n.Lease(); err != nil {
			return nil, err
		}
		i.network = n
	}
	launch.Ready(1)
	return i, nil
}

// Describe says what Prepare and Start do.
func (e *Env) Describe(s bench.Spec) (prepare, start []string) {
	prepare = []string{"a thread waits"}
	start = []string{"make the cgroups"}
	network := ""
	if s.Settings["net"] == NetBridge {
		prepare = append(prepare, "the bridge exists, an address is reserved")
		network = " and the network namespace, make the veth pair, put one end on the bridge, set address and route"
	}
	start = append(start, "unshare the mount namespace"+network, "mount a tmpfs and the overlay over the image", "clone, execute "+filepath.Base(e.maker.Program))
	return prepare, slices.Concat(start, e.maker.Start)
}

// How long somebody else's program may take. Variables for the tests alone.
var (
	StartWithin = 15 * time.Second // until there is a workload
	EndWithin   = 2 * time.Second  // to end by itself, when its workload has
)
