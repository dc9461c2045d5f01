package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/testbed"
	"lab/vm/client"
	"lab/vm/domain"
	"lab/vm/guest"
)

// An instance is one domain, and the workload in it.
type instance struct {
	env  *Env
	spec bench.Spec
	how  variant
	cfg  domain.Config
	err  error // why Start will fail

	began clock.Time
	marks []clock.Mark

	loads   []string // files of the cache's that its machine starts with
	console *guest.Console
	network *testbed.Network // the testbed's; nil without a bridge
	addr    netip.Prefix     // on it, or on a network of a foreign libvirt's
	session *guest.Session   // with the guest's init, where there is one
	main    *guest.Program   // the workload, where that init runs it
	idle    bool             // that init is to wait for work, and gets none

	own               // where the lab's own libvirt made it
	saved *savedState // what it is restored from, or nil
	far   *far        // in a foreign libvirt, or nil

	conn    *client.Conn
	created bool
	events  <-chan client.Event
	stopped chan struct{} // closed when libvirt has noticed its end
	ended   chan struct{} // closed when QEMU is gone, and exit is valid
	exit    bench.Exit
	exitErr error

	mu      sync.Mutex // guards what follows
	started bool
	ran     bool // Start succeeded
	cancel  context.CancelFunc
	tried   chan struct{}  // closed when Start returned
	killed  syscall.Signal // what the caller ended the guest with
	stuck   string         // why the guest was ended that could have gone on no more
	death   string         // how QEMU ended, where that is known

	once   sync.Once
	closed error
}

// newInstance is an instance as far as all are alike.
func (e *Env) newInstance(s bench.Spec, how variant) *instance {
	i := &instance{env: e, spec: s, how: how, cfg: e.config(s),
		ended: make(chan struct{}), stopped: make(chan struct{}), tried: make(chan struct{})}
	n := e.count.Add(1)
	i.cfg.Name = fmt.Sprintf("lab-%s-%s-%d", e.tb.ID, e.Name(), n)
	how.define(i, n)
	return i
}

// put makes a file of the lab's visible to libvirt, and returns its path there.
func (i *instance) put(ctx context.Context, file string) (string, error) {
	i.loads = append(i.loads, file)
	return i.env.libvirt.Put(ctx, file)
}

// Loads is what put was given: kernel, initramfs, the image's disk.
func (i *instance) Loads() []string { return i.loads }

// file is the path of a file of the instance, outside the daemon's namespace.
func (i *instance) file(suffix string) string {
	return filepath.Join(i.env.bed(), i.cfg.Name+suffix)
}

// Ready is the lab's end of the console; where the guest has an init, of the
// pipe that the workload's output goes to.
func (i *instance) Ready() *os.File {
	switch {
	case i.main != nil:
		return i.main.Ready()
	case i.console == nil || i.spec.Init || i.spec.Command.Stdout != nil:
		return nil
	}
	return i.console.File()
}

// Terminal is the master end of the workload's new terminal, or nil.
func (i *instance) Terminal() *os.File {
	if i.main == nil {
		return nil
	}
	return i.main.Terminal()
}

// Started is when Start was called.
func (i *instance) Started() clock.Time { return i.began }

// Marks are the ends of the parts of a start.
func (i *instance) Marks() []clock.Mark { return i.marks }

// LastPhase is what follows the last mark.
func (i *instance) LastPhase() string { return i.how.last(i) }

// Inspect names the domain and, in the lab's own libvirt, QEMU's process and its
// port on the bridge.
func (i *instance) Inspect() (map[string]string, error) {
	if !i.alive() {
		return nil, os.ErrProcessDone
	}
	out := map[string]string{"domain": i.cfg.Name}
	if i.pid != 0 {
		out["pid"] = strconv.Itoa(i.pid)
	}
	if i.cfg.Card != nil && i.cfg.Card.Tap != "" {
		out["tap"] = i.cfg.Card.Tap
	}
	if i.saved != nil && i.session != nil {
		out["clock set forward by"] = i.session.Jump.String()
	}
	return out, nil
}

// Exec prepares a further command in the guest.
func (i *instance) Exec(_ context.Context, c bench.Command) (bench.Process, error) {
	if i.session == nil {
		return nil, bench.NotApplicable("the workload is the guest's PID 1, and nothing is there that could execute a command", "run it under the guest's init (Spec.Init)")
	}
	return guest.NewProgram(i.session, c, bench.Limits{}), nil
}

// alive says whether QEMU is there.
func (i *instance) alive() bool {
	if !i.created {
		return false
	}
	select {
	case <-i.ended:
		return false
	default:
		return true
	}
}

// createTimeout bounds libvirt's work on a start: half a second when all is
// well, several on a machine that does much else.
const createTimeout = 30 * time.Second

// Start defines and starts the domain. It returns when the guest's CPU runs;
// where the guest has an init, when that has executed the workload.
func (i *instance) Start(ctx context.Context) error {
	began := clock.Now()
	i.mu.Lock()
	if i.started {
		i.mu.Unlock()
		return errors.New("start: started before, or closed")
	}
	i.started, i.began = true, began
	ctx, i.cancel = context.WithCancel(ctx)
	i.mu.Unlock()
	defer close(i.tried)
	err := i.err
	if err == nil {
		err = i.start(ctx)
	}
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	i.mu.Lock()
	i.ran = true
	i.mu.Unlock()
	return nil
}

func (i *instance) start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := i.how.start(ctx, i)
	if err == nil && c == nil {
		return ctx.Err()
	}
	if err == nil {
		err = i.execute(ctx, c)
	}
	if errors.Is(err, io.EOF) {
		i.awaitEnd()
	}
	if err != nil {
		return i.explain(err)
	}
	return nil
}

// end writes down how the guest ended.
func (i *instance) end(at clock.Time) {
	i.exit, i.exitErr = i.status(at)
	close(i.ended)
}

// untilEnd is a context that the guest's end ends: it is an answer, too.
func (i *instance) untilEnd(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-i.ended:
			cancel(bench.Blamed(bench.BlameMachine, errors.New("the guest ended before its init said hello")))
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// execute has the guest's init execute the workload.
func (i *instance) execute(ctx context.Context, c net.Conn) (err error) {
	ctx, cancel := i.untilEnd(ctx)
	defer cancel(nil)
	step, greet := i.how.hello()
	if i.session, err = greet(ctx, c); err != nil {
		c.Close()
		return errors.Join(context.Cause(ctx), err)
	}
	for n, ago := range i.session.Ago[:min(len(i.session.Ago), len(distroParts)-1)] {
		i.mark(distroParts[n], i.session.At-clock.Time(ago))
		step = distroParts[n+1]
	}
	i.mark(step, i.session.At)
	go i.session.EndAfter(i.ended)
	if i.idle {
		return nil
	}
	i.main = guest.NewProgram(i.session, i.spec.Command, i.spec.Limits)
	i.main.Unplug = i.unplug
	if err := i.main.Start(ctx); err != nil {
		return err
	}
	i.mark("exec", clock.Now())
	return nil
}

// mark marks the clock. The order is that of causes; a moment that was seen a
// little late, because it is told by another channel, doesn't come before one
// that it followed.
func (i *instance) mark(name string, at clock.Time) {
	if at == 0 {
		return
	}
	if n := len(i.marks); n > 0 {
		at = max(at, i.marks[n-1].At)
	}
	i.marks = append(i.marks, clock.Mark{Name: name, At: at})
}
