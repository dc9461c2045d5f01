package foreign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/launch"
	"lab/bench/testbed"
)

// An Instance is one run of a maker's program, and the workload in it. It is the
// program's launch.Process, with all that concerns the workload put right.
type Instance struct {
	*launch.Process
	env     *Env
	spec    bench.Spec
	order   Order
	network *testbed.Network // nil without a bridge
	addr    netip.Prefix

	group *cgroup.Group // of what the program makes, where it makes cgroups
	dir   *os.File      // its folder, which only its mount namespace shows
	layer string        // the upper layer's folder in the work folder, or ""

	published []io.Closer // its ports
	text      said        // what the program said
	pipe      *os.File    // from which that is read, where nobody else wanted it
	theirs    *os.File    // the program's end of it
	unfit     error       // why Start will fail
	heard     sync.WaitGroup
	late      atomic.Pointer[time.Timer] // until there must be a workload

	killed  atomic.Bool // by us
	passed  atomic.Bool // a signal of ours may have ended the program
	stuck   atomic.Bool // there was no workload in time
	judging sync.Once
	exit    bench.Exit
	err     error
	closing sync.Once
	closed  error
}

// count numbers the instances of this process.
var count atomic.Int64

// instance writes down what the program will be told.
func (e *Env) instance(s bench.Spec) *Instance {
	i := &Instance{env: e, spec: s}
	i.order = Order{Spec: s, ID: fmt.Sprintf("lab-%s-%d", e.tb.ID, count.Add(1)), Dir: e.tb.Dir, Root: filepath.Join(e.tb.Dir, "root"), Host: s.Hostname}
	if e.maker.Whole {
		i.order.Dir = filepath.Dir(e.tb.Dir)
		i.order.Root = filepath.Join(i.order.Dir, "root")
	}
	if i.order.Host == "" {
		i.order.Host = Hostname
	}
	i.order.Argv, i.unfit = i.argv()
	i.Process = launch.New(i.plan())
	return i
}

// argv is what will be executed inside. An error is the workload's.
func (i *Instance) argv() ([]string, error) {
	c := i.spec.Command
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return nil, errNoCommand
	}
	path, err := find(i.spec.Image.Dir, c)
	if err != nil {
		if len(i.spec.Mounts) == 0 || !errors.Is(err, unix.ENOENT) {
			return nil, err
		}
		path = launch.PathInside(c)[0] // it may be on a volume
	}
	argv := append([]string{path}, c.Argv[1:]...)
	if i.spec.Init {
		argv = append([]string{initPath}, argv...)
	}
	return argv, nil
}

// Start runs the program. It returns when that was executed: the workload follows, and
// what becomes of it Wait and Explain say.
func (i *Instance) Start(ctx context.Context) error {
	if i.unfit == nil {
		err := i.Process.Start(ctx)
		if i.theirs != nil {
			i.theirs.Close()
		}
		if err == nil {
			i.late.Store(time.AfterFunc(StartWithin, i.hurry))
		}
		return err
	}
	i.Process.Close() // no later Start, and nothing to wait for
	return i.unfit
}

// plan is how the program is started. Its command follows in Start.
func (i *Instance) plan() launch.Plan {
	e := i.env
	p := launch.Plan{Leave: leave, Cleanup: i.cleanup}
	limits := i.spec.Limits
	if e.maker.Whole {
		limits.Pids = 0 // the program has threads of its own, and makes a group with it
	}
	p.Group = func() (*cgroup.Group, error) {
		if e.maker.Everywhere {
			return e.tb.Cgroups.New(limits, e.tb.Cgroups.Hierarchies()...)
		}
		return e.tb.Cgroups.New(limits)
	}
	if len(i.spec.Ports) > 0 {
		// First: the listener's namespace is the one that the thread begins in.
		p.Steps = append(p.Steps, launch.Step{Name: "ports", Do: i.publish})
	}
	if e.maker.Cgroups {
		p.Group = func() (*cgroup.Group, error) { return e.tb.Cgroups.New(bench.Limits{}) }
		p.Steps = append(p.Steps, launch.Step{Name: "limits", Do: func(*launch.Thread) (err error) {
			i.group, err = e.tb.Cgroups.New(i.spec.Limits, e.tb.Cgroups.Hierarchies()...)
			return err
		}})
	}
	p.Steps = append(p.Steps, launch.Step{Name: "namespaces", Do: i.enter}, launch.Step{Name: "root", Do: i.makeRoot})
	p.Command = i.spec.Command
	if i.unfit != nil {
		return p
	}
	if c := &p.Command; c.Stderr == nil && !c.TTY {
		if i.pipe, i.theirs, i.unfit = os.Pipe(); i.unfit != nil {
			return p
		}
		c.Stderr = i.theirs
		i.heard.Go(func() { i.text.drain(i.pipe) })
	}
	// The program is the machine's: the command's variables, user and folder are for it
	// to pass on, and not its own.
	p.Command.Dir, p.Command.User, p.Command.Env = "/", bench.User{}, []string{"PATH=" + bench.DefaultPath, "HOME=" + i.order.Dir}
	p.Find = func(bench.Command) []string {
		path, _ := e.path() // Check has seen it
		return []string{path}
	}
	p.Command.Argv = append([]string{filepath.Base(e.maker.Program)}, e.maker.Args(&i.order)...)
	return p
}

func (i *Instance) publish(*launch.Thread) error {
	for _, p := range i.spec.Ports {
		f, err := i.network.Publish(p, i.addr.Addr())
		if err != nil {
			return bench.Blamed(bench.BlameMachine, err)
		}
		i.published = append(i.published, f)
	}
	return nil
}

// made says whether there is, or was, an instance.
func (i *Instance) made() bool {
	if name := i.env.maker.PIDFile; name != "" && i.dir != nil {
		var st unix.Stat_t
		if unix.Fstatat(int(i.dir.Fd()), name, &st, 0) == nil {
			return true
		}
	}
	return i.workload() != nil
}

// hurry ends a program that makes no instance.
func (i *Instance) hurry() {
	if !i.ended() && !i.made() {
		i.stuck.Store(true)
		i.end()
	}
}

// Signal sends a signal to the workload. One that asks for an end and comes before
// there is a workload ends the program.
func (i *Instance) Signal(sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	switch {
	case !ok || i.PID() == 0 || i.ended():
		return i.Process.Signal(sig)
	case s == unix.SIGKILL:
		return i.kill()
	case i.env.maker.Relays:
		return i.pass(sig)
	}
	if w := i.workload(); w != nil {
		return w.signal(s)
	}
	if s == unix.SIGTERM || s == unix.SIGINT || s == unix.SIGHUP || s == unix.SIGQUIT {
		return i.pass(sig)
	}
	return nil
}

// pass sends a signal to the program itself, which may die of it.
func (i *Instance) pass(sig os.Signal) error {
	i.passed.Store(true)
	return i.Process.Signal(sig)
}

// kill ends what the program has made, or the program, if it has made nothing.
func (i *Instance) kill() error {
	i.killed.Store(true)
	if i.killTree() {
		return nil
	}
	return i.Process.Signal(unix.SIGKILL)
}

func (i *Instance) ended() bool {
	select {
	case <-i.Done():
		return true
	default:
		return false
	}
}

// end ends the workload, and the program as well where it doesn't end by itself. It
// returns when both have.
func (i *Instance) end() {
	if i.PID() == 0 {
		return
	}
	if !i.ended() {
		i.kill()
		t := time.NewTimer(EndWithin)
		defer t.Stop()
		select {
		case <-i.Done():
		case <-t.C:
			i.Process.Signal(unix.SIGKILL)
		}
	}
	if i.group != nil {
		i.group.Kill()
	}
	<-i.Done()
}

// Wait waits for the program's end, which is the workload's; see bench.Process.
func (i *Instance) Wait(ctx context.Context) (bench.Exit, error) {
	wait, inTime := context.WithoutCancel(ctx), true
	switch {
	case i.PID() == 0:
		wait = ctx // nothing to be ended gently
	case !i.ended():
		stop := context.AfterFunc(ctx, i.end)
		defer func() { stop() }()
		<-i.Done()
		inTime = stop()
	}
	x, err := i.Process.Wait(wait)
	if err == nil {
		x, err = i.judged(x)
	}
	if !inTime {
		return x, ctx.Err()
	}
	return x, err
}

// judged makes of the program's end the workload's. Such programs say of a signal
// what a shell says, 128 and its number, and so it is read here.
func (i *Instance) judged(x bench.Exit) (bench.Exit, error) {
	i.judging.Do(func() {
		i.listened()
		m := &i.env.maker
		crashed := x.Signal != 0 && !i.killed.Load() && !i.passed.Load()
		if n := x.Code - 128; n > 0 && n <= 64 {
			x.Code, x.Signal = -1, n
		} else if i.killed.Load() && x.Code != 0 {
			x.Code, x.Signal = -1, int(unix.SIGKILL)
		}
		i.exit = x
		g := i.group
		if g == nil {
			g = i.Group()
		}
		if x.Signal == int(unix.SIGKILL) || m.Mute && x.Code > 0 {
			if i.exit.OOM = g.OOMKilled() || g.Hit() && !i.killed.Load(); i.exit.OOM {
				i.exit.Code, i.exit.Signal = -1, int(unix.SIGKILL)
			}
		}
		name, how := filepath.Base(m.Program), ""
		switch {
		case i.stuck.Load():
			how = fmt.Sprintf("%s made no instance in %v, and was ended", name, StartWithin)
		case i.killed.Load(), x.Signal != 0 && i.passed.Load():
		case crashed:
			how = fmt.Sprintf("%s was ended by signal %d", name, x.Signal)
		case m.PIDFile != "" && !i.made():
			how = fmt.Sprintf("%s ended without an instance (%v)", name, x)
		case m.PIDFile == "" && x.Code > 0 && !i.exit.OOM && i.text.from(name):
			how = fmt.Sprintf("%s failed (%v)", name, x)
		}
		if how != "" {
			i.err = bench.Blamed(bench.BlameMachine, errors.New(how+i.text.quoted()))
		}
	})
	return i.exit, i.err
}

// listened waits until what the program said is there. What it left behind may have the
// pipe open for long.
func (i *Instance) listened() {
	if i.pipe != nil {
		i.pipe.SetReadDeadline(time.Now().Add(time.Second))
		i.heard.Wait()
	}
}

// Explain adds what became of the program, and what it said last.
func (i *Instance) Explain(err error) error {
	select {
	case <-i.Done():
	case <-time.After(EndWithin): // it may be about to
		if !i.made() {
			return fmt.Errorf("%w; %s is running, and has made no instance%s", err, filepath.Base(i.env.maker.Program), i.text.quoted())
		}
		return err
	}
	x, werr := i.Wait(context.Background())
	if werr != nil {
		return fmt.Errorf("%w; %w", err, werr)
	}
	return fmt.Errorf("%w; it has ended: %v%s", err, x, i.text.quoted())
}

// Close ends what runs still, and undoes everything.
func (i *Instance) Close() error {
	i.closing.Do(func() {
		if late := i.late.Load(); late != nil {
			late.Stop()
		}
		i.end()
		if i.PID() != 0 {
			i.Wait(context.Background()) // while its cgroup can be asked
		}
		i.closed = i.Process.Close()
	})
	return i.closed
}

// cleanup undoes what the kernel doesn't.
func (i *Instance) cleanup() (err error) {
	if i.group != nil {
		err = i.group.Remove()
	}
	if i.env.tb.Private {
		testbed.Reap() // what it left without a parent
	}
	i.theirs.Close() // again, mostly; or nil
	i.listened()
	i.pipe.Close()
	i.dir.Close()
	if i.layer != "" {
		err = errors.Join(err, os.RemoveAll(i.layer))
	}
	for _, p := range i.published {
		err = errors.Join(err, p.Close())
	}
	if i.network != nil {
		err = errors.Join(err, i.network.Disconnect(i.addr))
		i.network.Release(i.addr)
	}
	return err
}
