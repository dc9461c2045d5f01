package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

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
	if i.cfg.Data != nil {
		size, err := bench.ParseSize(i.spec.Settings["disk-size"])
		if err != nil {
			return fmt.Errorf("data disk: %w", err)
		}
		if i.data, err = newDataDisk(ctx, i.env.work(), size); err != nil {
			return bench.Blamed(bench.BlameMachine, err)
		}
		i.cfg.Data.File = i.data.path()
		i.mark("disk", clock.Now())
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
