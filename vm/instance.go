package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/digitalocean/go-libvirt"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/launch"
)

// createTimeout bounds libvirt's work on a start: half a second when all is
// well, several on a machine that does much else.
const createTimeout = 30 * time.Second

// An instance is one domain.
type instance struct {
	env  *Env
	spec bench.Spec
	cfg  Config
	err  error // why Start will fail

	began   clock.Time
	marks   []clock.Mark
	console *console

	conn    *conn
	dom     libvirt.Domain
	created bool
	events  <-chan event
	qemu    int            // QEMU's PID
	pidfd   int            // a hold on it
	ended   chan struct{}  // closed when QEMU is gone
	endedAt clock.Time     // valid after that
	killed  syscall.Signal // what the caller ended it with

	mu      sync.Mutex // guards started, killed
	started bool
	once    sync.Once
	closed  error
}

// Prepare unpacks the kernel and builds the initramfs where the cache doesn't
// have them, and writes down the domain.
func (e *Env) Prepare(ctx context.Context, s bench.Spec) (bench.Instance, error) {
	if err := e.Check(ctx, s); err != nil {
		return nil, err
	}
	k, err := e.kernel(s)
	if err != nil {
		return nil, err
	}
	i := &instance{env: e, spec: s, pidfd: -1, ended: make(chan struct{})}
	i.cfg = e.config(s, k)
	i.cfg.Name = fmt.Sprintf("lab-%s-%d", e.tb.ID, e.count.Add(1))
	line := Cmdline{}
	if !s.Init {
		if len(s.Command.Argv) == 0 {
			return nil, bench.Blamed(bench.BlameWorkload, errors.New("prepare: no command"))
		}
		line.Init, i.err = lookup(s.Image.Dir, s.Command)
		line.Args, line.Env = s.Command.Argv[1:], kernelEnv(s.Command.Env)
	}
	if i.err != nil {
		return i, nil // Start's error, as in every environment
	}
	if i.cfg.Cmdline, err = line.String(); err != nil {
		return nil, bench.Blamed(bench.BlameWorkload, err)
	}
	path, err := initramfs(e.tb.Cache, s, k)
	if err != nil {
		return nil, err
	}
	i.cfg.Initrd = e.inside(path)
	i.cfg.Console = e.inside(i.file(".serial"))
	i.cfg.ConsoleLog = e.inside(i.file(".console"))
	if _, err := e.connection(ctx); err != nil {
		return nil, err
	}
	return i, nil
}

// file is the path of a file of the instance, outside the daemon's namespace.
func (i *instance) file(suffix string) string {
	return filepath.Join(i.env.bed(), i.cfg.Name+suffix)
}

// lookup finds the workload in the image, and gives its path in the guest.
func lookup(root string, c bench.Command) (string, error) {
	worst := &launch.ExecError{Path: c.Argv[0], Err: unix.ENOENT}
	for _, name := range launch.PathInside(c) {
		// The image's links are the guest's to follow; on the host an
		// absolute one would lead out of the image.
		st, err := os.Lstat(filepath.Join(root, name))
		switch {
		case err != nil:
		case st.IsDir(), st.Mode().IsRegular() && st.Mode()&0o111 == 0:
			worst = &launch.ExecError{Path: name, Err: unix.EACCES}
		default:
			return name, nil
		}
	}
	return "", bench.Blamed(bench.BlameWorkload, worst)
}

// Start defines and starts the domain. It returns when the guest's CPU runs.
func (i *instance) Start(ctx context.Context) error {
	i.began = clock.Now()
	i.mu.Lock()
	again := i.started
	i.started = true
	i.mu.Unlock()
	if again {
		return errors.New("start: started before")
	}
	if i.err != nil {
		return i.err
	}
	if err := i.start(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	return nil
}

func (i *instance) start(ctx context.Context) (err error) {
	i.env.reaper.hold()
	defer func() {
		if err != nil {
			err = i.explain(err)
		}
	}()
	if i.conn, err = i.env.connection(ctx); err != nil {
		return err
	}
	if i.console, err = newConsole(i.file(".serial")); err != nil {
		return err
	}
	text, err := XML(i.cfg)
	if err != nil {
		return err
	}
	i.events = i.conn.watch(i.cfg.Name)
	i.mark("prepare", clock.Now())

	exec := watchOpen(i.cfg.Emulator)
	err = i.conn.call(ctx, "create domain", createTimeout, func(l *libvirt.Libvirt) (err error) {
		i.dom, err = l.DomainCreateXML(text, libvirt.DomainStartAutodestroy)
		return err
	})
	returned := clock.Now()
	i.mark("libvirt", exec.stop())
	i.mark("qemu", i.console.opened())
	if err != nil {
		return err
	}
	i.created = true
	if err := i.hold(); err != nil {
		return err
	}
	i.mark("configure", i.resumed(returned))
	return nil
}

// hold takes a hold on QEMU's process.
func (i *instance) hold() error {
	b, err := os.ReadFile(filepath.Join(i.env.bed(), "run/qemu", i.cfg.Name+".pid"))
	if err != nil {
		return fmt.Errorf("QEMU's PID: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return fmt.Errorf("QEMU's PID: %w", err)
	}
	if i.pidfd, err = unix.PidfdOpen(pid, 0); err != nil {
		return fmt.Errorf("QEMU, PID %d, is gone: %w", pid, err)
	}
	i.qemu = pid
	go i.await()
	return nil
}

// resumed is when libvirt set the guest's CPU running: its event's time, or the
// time at which the call returned where that came first.
func (i *instance) resumed(returned clock.Time) clock.Time {
	for {
		select {
		case e := <-i.events:
			if e.kind == libvirt.DomainEventResumed || e.kind == libvirt.DomainEventStarted {
				return min(e.at, returned)
			}
		default:
			return returned
		}
	}
}

func (i *instance) mark(name string, at clock.Time) {
	if at != 0 {
		i.marks = append(i.marks, clock.Mark{Name: name, At: at})
	}
}

// await waits for QEMU's end: a process descriptor becomes readable when its
// process ends (pidfd_open(2)), whatever libvirt thinks.
func (i *instance) await() {
	defer close(i.ended)
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(i.pidfd), Events: unix.POLLIN}}, -1)
		if err != unix.EINTR {
			break
		}
	}
	i.endedAt = clock.Now()
	i.env.reaper.reap()
}

// Ready is the lab's end of the console.
func (i *instance) Ready() *os.File {
	if i.console == nil {
		return nil
	}
	return i.console.f
}

// Started is when Start was called.
func (i *instance) Started() clock.Time { return i.began }

// Marks are the ends of the parts of a start.
func (i *instance) Marks() []clock.Mark { return i.marks }

// Signal ends the guest on SIGKILL, as if its plug were pulled. Other signals
// need an init in the guest that takes them.
func (i *instance) Signal(sig os.Signal) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.running() {
		return os.ErrProcessDone
	}
	if sig != syscall.SIGKILL {
		return bench.NotApplicable(fmt.Sprintf("a guest's PID 1 can't be sent %v from the host", sig), "run it under the guest's init (Spec.Init)")
	}
	i.killed = syscall.SIGKILL
	return i.kill()
}

func (i *instance) running() bool {
	if i.pidfd < 0 {
		return false
	}
	select {
	case <-i.ended:
		return false
	default:
		return true
	}
}

// kill ends QEMU by the hold on its process: no PID can be mistaken, and
// libvirt needn't be alive.
func (i *instance) kill() error {
	err := unix.PidfdSendSignal(i.pidfd, unix.SIGKILL, nil, 0)
	if err == unix.ESRCH {
		return os.ErrProcessDone
	}
	return os.NewSyscallError("pidfd_send_signal", err)
}

// Wait waits for the guest's end; see bench.Process.
func (i *instance) Wait(ctx context.Context) (bench.Exit, error) {
	if i.pidfd < 0 {
		return bench.Exit{}, errors.New("wait: it never ran")
	}
	select {
	case <-i.ended:
	case <-ctx.Done():
		i.mu.Lock()
		i.killed = syscall.SIGKILL
		i.mu.Unlock()
		i.kill()
		<-i.ended
		return bench.Exit{Code: -1, Signal: int(syscall.SIGKILL), At: i.endedAt}, ctx.Err()
	}
	return i.exit()
}

// Close ends the guest and removes what it was made of.
func (i *instance) Close() error {
	i.once.Do(func() {
		i.mu.Lock()
		started := i.started
		i.started = true // a later Start is refused
		i.mu.Unlock()
		if started && i.err == nil {
			i.closed = i.close()
		}
	})
	return i.closed
}

func (i *instance) close() error {
	var errs []error
	if i.running() {
		i.kill()
		<-i.ended
	}
	if i.created && i.conn.alive() {
		// libvirt sees QEMU's end by itself; until it has, the domain is
		// still in its list.
		errs = append(errs, i.forget())
	}
	if i.conn != nil {
		i.conn.unwatch(i.cfg.Name)
	}
	if i.pidfd >= 0 {
		unix.Close(i.pidfd)
	}
	i.env.reaper.release()
	if i.console != nil {
		errs = append(errs, i.console.close())
	}
	errs = append(errs, i.keepLogs())
	return errors.Join(errs...)
}

// forget waits until libvirt has noticed the domain's end.
func (i *instance) forget() error {
	t := time.NewTimer(callTimeout)
	defer t.Stop()
	for {
		select {
		case e := <-i.events:
			if e.kind == libvirt.DomainEventStopped {
				return nil
			}
		case <-i.conn.gone:
			return nil // autodestroy: the daemon ends what was this connection's
		case <-t.C:
			i.conn.nc.Close()
			return bench.Blamed(bench.BlameMachine, &CallError{"end of domain " + i.cfg.Name, fmt.Errorf("%w after %v", errNoAnswer, callTimeout)})
		}
	}
}
