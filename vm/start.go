package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/digitalocean/go-libvirt"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/testbed"
	"lab/vm/domain"
	"lab/vm/guest"
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
	if i.env.far != nil {
		return i.startFar(ctx)
	}
	i.env.reaper.hold()
	if i.conn, err = i.env.connection(ctx); err != nil {
		return err
	}
	if err := i.openConsole(); err != nil {
		return err
	}
	if i.cfg.Data != nil {
		size, err := bench.ParseSize(i.spec.Settings["disk-size"])
		if err != nil {
			return fmt.Errorf("data disk: %w", err)
		}
		if i.data, err = newDataDisk(ctx, i.env.work(), size); err != nil {
			return bench.Blamed(bench.BlameMachine, err)
		}
		if err := i.showData(); err != nil {
			return fmt.Errorf("data disk: %w", err)
		}
		i.mark("disk", clock.Now())
	}
	if err := i.share(); err != nil {
		return fmt.Errorf("show the guest a folder: %w", err)
	}
	var p *guest.Port
	if i.spec.Init {
		if p, err = guest.Listen(i.file(".port")); err != nil {
			return err
		}
		defer p.Close()
		if err := i.give(i.file(".port")); err != nil {
			return err
		}
	}
	i.events = i.conn.Watch(i.cfg.Name)
	if i.saved != nil {
		err = i.restore(ctx)
	} else {
		err = i.boot(ctx)
	}
	if err != nil {
		return i.explain(err)
	}
	if p == nil {
		return ctx.Err()
	}
	c, err := i.called(ctx, p)
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

// openConsole makes the instance's console, and the file in which QEMU keeps what
// it says.
func (i *instance) openConsole() (err error) {
	if i.console, err = guest.NewConsole(i.file(".serial"), i.user, qemuID()); err != nil {
		return err
	}
	if err := i.makeFile(".console"); err != nil {
		return fmt.Errorf("console: %w", err)
	}
	return nil
}

// boot has libvirt make the domain of a guest that boots.
func (i *instance) boot(ctx context.Context) error {
	text, err := domain.XML(i.cfg)
	if err != nil {
		return err
	}
	return i.create(ctx, "create domain", func(l *libvirt.Libvirt) error {
		_, err := l.DomainCreateXML(text, libvirt.DomainStartAutodestroy)
		return err
	})
}

// create makes the libvirt call that makes the domain.
func (i *instance) create(ctx context.Context, what string, make func(*libvirt.Libvirt) error) error {
	i.ooms = testbed.OOMKills()
	i.mark("prepare", clock.Now())
	qemu := guest.WatchOpen(i.cfg.Emulator)
	err := i.conn.Call(ctx, what, createTimeout, make)
	returned := clock.Now()
	i.mark("libvirt", qemu.Stop())
	i.mark("qemu", i.console.Opened())
	if err != nil {
		if i.saved != nil {
			// Restoring knows no autodestroy: what is there is ours to end.
			i.hold()
			if i.created = i.pidfd >= 0; i.created {
				go i.follow()
			}
		}
		return i.env.blame(err)
	}
	i.created = true
	i.hold()
	step := "configure"
	if i.saved != nil {
		step = "restore"
	}
	i.mark(step, i.resumed(returned))
	go i.follow()
	return nil
}

// hold takes a hold on QEMU's process, by the PID that libvirt wrote down. A
// guest may have ended by now: then there is nothing to hold.
func (i *instance) hold() {
	if !i.find() {
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

// find opens QEMU's process descriptor.
func (i *instance) find() bool {
	b, err := os.ReadFile(filepath.Join(i.env.bed(), "run/qemu", i.cfg.Name+".pid"))
	if err == nil {
		i.pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
	}
	if err == nil {
		i.pidfd, err = unix.PidfdOpen(i.pid, 0)
	}
	if err != nil {
		i.pidfd = -1
	}
	return err == nil
}

// end writes down how the guest ended.
func (i *instance) end() {
	at := clock.Now()
	if i.far == nil {
		// At once: libvirt, which has seen QEMU's monitor close, is about to
		// look for the process, and if there is a zombie yet it sleeps for
		// 0.2 s and looks again (virProcessKillPainfully).
		if ws, ok := i.env.reaper.take(i.pid); ok {
			i.mu.Lock()
			i.death = testbed.Death(ws, i.ooms)
			i.mu.Unlock()
		}
	}
	i.env.reaper.reap()
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

// called waits for QEMU's connection to the init's port.
func (i *instance) called(ctx context.Context, p *guest.Port) (net.Conn, error) {
	ctx, cancel := i.untilEnd(ctx)
	defer cancel(nil)
	c, err := p.Wait(ctx)
	if err != nil {
		return nil, errors.Join(context.Cause(ctx), err)
	}
	return c, nil
}

// execute has the guest's init execute the workload.
func (i *instance) execute(ctx context.Context, c net.Conn) (err error) {
	ctx, cancel := i.untilEnd(ctx)
	defer cancel(nil)
	step, hello := "boot", guest.Greet
	if i.saved != nil {
		step, hello = "resume", guest.Resume
	}
	if i.session, err = hello(ctx, c); err != nil {
		c.Close()
		return errors.Join(context.Cause(ctx), err)
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

// resumed is when libvirt set the guest's CPU running: its event's time, or the
// time at which the call returned where that came first.
func (i *instance) resumed(returned clock.Time) clock.Time {
	for {
		select {
		case e := <-i.events:
			if e.Kind == libvirt.DomainEventResumed || e.Kind == libvirt.DomainEventStarted {
				return min(e.At, returned)
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
