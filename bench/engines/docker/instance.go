package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/clock"
	"lab/bench/foreign"
	"lab/bench/testbed"
)

// An instance is one container of the engine's, and the workload in it.
type instance struct {
	env     *Env
	engine  *daemon
	api     *conn
	spec    bench.Spec
	order   foreign.Order
	image   stored
	net     string           // the engine's network; "" without a bridge
	network *testbed.Network // nil without a bridge
	addr    netip.Prefix
	unfit   error // why Start will fail

	life      context.Context // until Close
	cancel    context.CancelFunc
	began     clock.Time
	marks     []clock.Mark
	id        string        // the container's, as the engine has it
	parent    string        // the name of that group, where it has to be known before; else ""
	group     *cgroup.Group // around the container's own, with the limits
	published []io.Closer
	output
	called chan struct{} // closed when the call that starts it has an answer; nil before it

	mu      sync.Mutex // guards begun, and the order of Start and Close
	begun   bool
	started chan struct{} // closed when Start returns
	running bool          // Start went well; valid then
	ended   chan struct{} // closed when exit and err are valid
	exit    bench.Exit
	err     error
	killed  atomic.Bool // by us
	closing sync.Once
	closed  error
}

// newInstance writes down what the engine will be asked for.
func newInstance(ctx context.Context, e *Env, d *daemon, s bench.Spec) (_ *instance, err error) {
	i := &instance{env: e, engine: d, spec: s, started: make(chan struct{}), ended: make(chan struct{}), marks: make([]clock.Mark, 0, 4)}
	i.life, i.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			i.Close()
		}
	}()
	i.order, i.unfit = e.Order(s)
	if i.api, err = d.dial(); err != nil {
		return nil, err
	}
	if i.image, err = d.image(ctx, i.api, s.Image); err != nil {
		return nil, bench.Blamed(bench.BlameMachine, err)
	}
	if s.Settings["net"] != foreign.NetBridge || d.others {
		return i, nil
	}
	if i.network, err = e.tb.Network(); err != nil {
		return nil, err
	}
	if i.net, err = d.network(ctx, i.api, i.network); err != nil {
		return nil, bench.Blamed(bench.BlameMachine, err)
	}
	i.addr, err = i.network.Lease()
	return i, err
}

// Started is when Start was called.
func (i *instance) Started() clock.Time { return i.began }

// Marks are the ends of the calls of the engine.
func (i *instance) Marks() []clock.Mark { return i.marks }

func (i *instance) mark(name string) {
	i.marks = append(i.marks, clock.Mark{Name: name, At: clock.Now()})
}

// Start has the engine make the container and start it. It returns when the engine says
// that it runs, or with the program's first byte: the engine's answer may come later.
func (i *instance) Start(ctx context.Context) error {
	began := clock.Now()
	i.mu.Lock()
	again := i.begun
	i.begun = true
	i.mu.Unlock()
	if again {
		return errors.New("start: started or closed before")
	}
	defer close(i.started)
	i.began = began
	err := i.unfit
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = i.start(ctx)
	}
	if err != nil {
		close(i.ended)
		if bench.Whose(err) == bench.BlameWorkload {
			return err
		}
		return fmt.Errorf("start: %w", err)
	}
	i.running = true
	return nil
}

func (i *instance) start(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	defer context.AfterFunc(i.life, cancel)()
	defer func() {
		if err != nil && ctx.Err() == context.DeadlineExceeded && i.life.Err() == nil {
			i.env.broken(i.engine)
			err = fmt.Errorf("docker: no container in %v, and the engine is started anew for the next: %w", startWithin, err)
		}
		if err != nil && bench.Whose(err) != bench.BlameWorkload && i.life.Err() == nil {
			err = bench.Blamed(bench.BlameMachine, err)
		}
	}()
	if err := i.makeGroup(); err != nil {
		return err
	}
	if i.io, err = newStream(i.spec.Command); err != nil {
		return err
	}
	i.io.kill = func() { i.kill() }
	i.mark("cgroup")
	i.id = i.order.ID // its name, should the answer never come
	created, err := i.api.ContainerCreate(ctx, i.options())
	if err != nil {
		return i.engine.call("create", err)
	}
	i.id = created.ID
	if err := i.bringInit(ctx); err != nil {
		return i.engine.call("copy the lab's init into the container", err)
	}
	i.mark("create")
	attached, err := i.api.ContainerAttach(ctx, i.id, client.ContainerAttachOptions{Stream: true, Stdin: i.io.in != nil, Stdout: true, Stderr: i.io.errs != nil})
	if err != nil {
		return i.engine.call("attach", err)
	}
	i.called = make(chan struct{})
	if err := i.io.begin(attached); err != nil {
		return err
	}
	// Its end may be an answer to the start. The question is open until then, and asked in
	// the time that a start has.
	asked, never := context.WithCancel(i.life)
	late := context.AfterFunc(ctx, never)
	end := i.api.ContainerWait(asked, i.id, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	i.mark("attach")
	done := make(chan error, 1)
	go func() {
		defer close(i.called)
		ctx, cancel := context.WithTimeout(i.life, startWithin)
		defer cancel()
		_, err := i.api.ContainerStart(ctx, i.id, client.ContainerStartOptions{})
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			return i.engine.call("start", err)
		}
	case <-i.io.first:
	case <-ctx.Done():
		return ctx.Err()
	}
	i.resize()
	late()
	go func() {
		defer never()
		i.await(end)
	}()
	return nil
}

// makeGroup makes the cgroup around the container's own, where that is the lab's, and
// publishes the ports.
func (i *instance) makeGroup() (err error) {
	cg := i.env.tb.Cgroups
	switch {
	case i.engine.others:
	case i.parent != "":
		i.group, err = cg.Make(i.parent, i.spec.Limits, cg.Hierarchies()...)
	default:
		i.group, err = cg.New(i.spec.Limits, cg.Hierarchies()...)
	}
	if err != nil {
		return err
	}
	for _, p := range i.spec.Ports {
		f, err := i.network.Publish(p, i.addr.Addr())
		if err != nil {
			return err
		}
		i.published = append(i.published, f)
	}
	return nil
}

// await waits for the program's end.
func (i *instance) await(end client.ContainerWaitResult) {
	defer close(i.ended)
	var code int64
	select {
	case r := <-end.Result:
		code = r.StatusCode
	case err := <-end.Error:
		i.endGroup() // and what is in it: nobody else ends it now
		code = 128 + int64(unix.SIGKILL)
		if i.life.Err() == nil {
			i.env.broken(i.engine)
			i.err = bench.Blamed(bench.BlameMachine, i.engine.call("wait for the container's end", err))
		}
	}
	i.exit = foreign.OfShell(bench.Exit{Code: int(code), At: clock.Now()})
	i.io.finish()
	if i.engine.others {
		i.exit.OOM = i.exit.Signal == int(unix.SIGKILL) && i.othersOOM()
	} else {
		if user, system, err := i.group.CPU(); err == nil {
			i.exit.Usage.User, i.exit.Usage.System = user, system
		}
		if i.exit.Signal == int(unix.SIGKILL) {
			i.exit.OOM = i.group.OOMKilled() || i.group.Hit() && !i.killed.Load()
		}
	}
	if i.err == nil {
		i.err = i.io.failed()
	}
}
