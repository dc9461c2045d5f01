package vm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/digitalocean/go-libvirt"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/clock"
)

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

func (i *instance) start(ctx context.Context) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	i.env.reaper.hold()
	if i.conn, err = i.env.connection(ctx); err != nil {
		return err
	}
	if i.console, err = newConsole(i.file(".serial")); err != nil {
		return err
	}
	var p *port
	if i.spec.Init {
		if p, err = listen(i.file(".port")); err != nil {
			return err
		}
		defer p.close()
	}
	text, err := XML(i.cfg)
	if err != nil {
		return err
	}
	i.events = i.conn.watch(i.cfg.Name)
	i.mark("prepare", clock.Now())
	if err := i.create(ctx, text); err != nil {
		return i.explain(err)
	}
	if p == nil {
		return ctx.Err()
	}
	if err := i.execute(ctx, p); err != nil {
		return i.explain(err)
	}
	return nil
}

// create has libvirt make the domain.
func (i *instance) create(ctx context.Context, text string) error {
	qemu := watchOpen(i.cfg.Emulator)
	err := i.conn.call(ctx, "create domain", createTimeout, func(l *libvirt.Libvirt) error {
		_, err := l.DomainCreateXML(text, libvirt.DomainStartAutodestroy)
		return err
	})
	returned := clock.Now()
	i.mark("libvirt", qemu.stop())
	i.mark("qemu", i.console.opened())
	if err != nil {
		return i.env.blame(err)
	}
	i.created = true
	i.hold()
	i.mark("configure", i.resumed(returned))
	return nil
}

// hold takes a hold on QEMU's process, by the PID that libvirt wrote down. A
// guest may have ended by now: then there is nothing to hold.
func (i *instance) hold() {
	b, err := os.ReadFile(filepath.Join(i.env.bed(), "run/qemu", i.cfg.Name+".pid"))
	if err == nil {
		i.pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
	}
	if err == nil {
		i.pidfd, err = unix.PidfdOpen(i.pid, 0)
	}
	if err != nil {
		i.pidfd = -1
		i.end()
		return
	}
	go func() {
		// A process descriptor becomes readable when its process ends
		// (pidfd_open(2)), whatever libvirt thinks.
		for {
			_, err := unix.Poll([]unix.PollFd{{Fd: int32(i.pidfd), Events: unix.POLLIN}}, -1)
			if err != unix.EINTR {
				break
			}
		}
		i.end()
	}()
}

// end writes down how the guest ended.
func (i *instance) end() {
	at := clock.Now()
	i.env.reaper.reap()
	i.exit, i.exitErr = i.status(at)
	close(i.ended)
}

// execute has the guest's init execute the workload.
func (i *instance) execute(ctx context.Context, p *port) error {
	// The guest's end is an answer, too.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-i.ended:
			cancel(bench.Blamed(bench.BlameMachine, errors.New("the guest ended before its init said hello")))
		case <-ctx.Done():
		}
	}()
	c, err := p.wait(ctx)
	if err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	if i.session, err = greet(ctx, c); err != nil {
		c.Close()
		return errors.Join(context.Cause(ctx), err)
	}
	i.mark("boot", i.session.at)
	i.main = newProgram(i.session, i.spec.Command, i.spec.Limits)
	if err := i.main.start(ctx); err != nil {
		return err
	}
	i.mark("exec", clock.Now())
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

// Ready is the lab's end of the console; where the guest has an init, of the
// pipe that the workload's output goes to.
func (i *instance) Ready() *os.File {
	switch {
	case i.main != nil:
		return i.main.io.ready
	case i.console == nil || i.spec.Init || i.spec.Command.Stdout != nil:
		return nil
	}
	return i.console.f
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

// Inspect names QEMU's process and the domain.
func (i *instance) Inspect() (map[string]string, error) {
	if !i.alive() {
		return nil, os.ErrProcessDone
	}
	return map[string]string{"pid": strconv.Itoa(i.pid), "domain": i.cfg.Name}, nil
}

// Exec prepares a further command in the guest.
func (i *instance) Exec(_ context.Context, c bench.Command) (bench.Process, error) {
	if i.session == nil {
		return nil, bench.NotApplicable("the workload is the guest's PID 1, and nothing is there that could execute a command", "run it under the guest's init (Spec.Init)")
	}
	return newProgram(i.session, c, bench.Limits{}), nil
}

// alive says whether QEMU is there.
func (i *instance) alive() bool {
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

// Signal sends a signal to the workload. Where it is the guest's PID 1, SIGKILL
// ends the guest, as if its plug were pulled, and nothing can take others.
func (i *instance) Signal(sig os.Signal) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.ran || !i.alive() {
		return os.ErrProcessDone
	}
	if i.main != nil {
		return i.main.Signal(sig)
	}
	if sig != syscall.SIGKILL {
		return bench.NotApplicable(fmt.Sprintf("a guest's PID 1 can't be sent %v from the host", sig), "run it under the guest's init (Spec.Init)")
	}
	i.killed = syscall.SIGKILL
	return i.kill()
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

// unplug kills QEMU and waits for its end.
func (i *instance) unplug() {
	i.mu.Lock()
	if i.alive() {
		i.killed = syscall.SIGKILL
		i.kill()
	}
	i.mu.Unlock()
	<-i.ended
}

// Wait waits for the workload's end; see bench.Process.
func (i *instance) Wait(ctx context.Context) (bench.Exit, error) {
	i.mu.Lock()
	started := i.started && i.cancel != nil
	i.mu.Unlock()
	if !started {
		return bench.Exit{}, errors.New("wait: it never ran")
	}
	<-i.tried
	i.mu.Lock()
	ran := i.ran
	i.mu.Unlock()
	switch {
	case !ran:
		return bench.Exit{}, errors.New("wait: it never ran")
	case i.main != nil:
		exit, err := i.main.Wait(ctx)
		if err == nil || ctx.Err() == nil {
			return exit, err
		}
		// Whether or not the guest said so: it is dead after this.
		if i.main.alive() {
			i.unplug()
		}
		return exit, err
	}
	select {
	case <-i.ended:
		return i.exit, i.exitErr
	case <-ctx.Done():
		i.unplug()
		return i.exit, ctx.Err()
	}
}

// Close ends the guest and removes what it was made of.
func (i *instance) Close() error {
	i.once.Do(func() {
		i.mu.Lock()
		cancel := i.cancel
		i.started = true // a later Start is refused
		i.mu.Unlock()
		if cancel == nil {
			return
		}
		cancel()
		<-i.tried
		i.closed = i.close()
	})
	return i.closed
}

func (i *instance) close() error {
	if i.conn == nil {
		return nil // nothing was made
	}
	var errs []error
	if i.created {
		i.unplug()
		// libvirt sees QEMU's end by itself; until it has, the domain is
		// still in its list.
		errs = append(errs, i.forget())
	}
	i.conn.unwatch(i.cfg.Name)
	i.mu.Lock()
	if i.pidfd >= 0 {
		unix.Close(i.pidfd)
		i.pidfd = -1
	}
	i.mu.Unlock()
	if i.session != nil {
		i.session.end(net.ErrClosed)
	}
	if i.main != nil && i.main.io != nil {
		i.main.io.close()
	}
	i.env.reaper.release()
	if i.console != nil {
		errs = append(errs, i.console.close())
	}
	return errors.Join(append(errs, i.keepLogs())...)
}
