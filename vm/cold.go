package vm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/digitalocean/go-libvirt"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/launch"
	"lab/bench/request"
	"lab/bench/smaps"
	"lab/bench/testbed"
	"lab/vm/asked"
	"lab/vm/client"
	"lab/vm/daemon"
	"lab/vm/disk"
	"lab/vm/domain"
	"lab/vm/guest"
)

// coldGuest is a guest that boots, in the lab's own libvirt.
type coldGuest struct{}

// own is what the lab has of a domain that its own libvirt made.
type own struct {
	data  *disk.Data     // nil without one
	shown []*daemon.Bind // what the daemon sees for its sake
	pid   int            // QEMU's
	qemu  *os.Process    // a hold on it
	ooms  int64          // how often memory had run out when QEMU was started
}

func (coldGuest) refuses(bench.Spec) error { return nil }

func (coldGuest) describe(prepare, start []string) ([]string, []string) { return prepare, start }

func (coldGuest) define(i *instance, n int64) {
	h := i.env.own
	i.cfg.User, i.cfg.Group = daemon.UserOf(n), daemon.QEMUGroup()
	i.cfg.Console, i.cfg.ConsoleLog = h.Inside(i.file(".serial")), h.Inside(i.file(".console"))
	if i.spec.Init {
		i.cfg.Channel = h.Inside(i.file(".port"))
	}
	i.cfg.Allowed = allowed()
}

func (coldGuest) prepare(ctx context.Context, i *instance) error { return i.prepareSystem(ctx) }

func (coldGuest) start(ctx context.Context, i *instance) (net.Conn, error) {
	return i.startHere(ctx, i.boot)
}

func (coldGuest) hello() (string, func(context.Context, net.Conn) (*guest.Session, error)) {
	return "boot", guest.Greet
}

// last is firmware and kernel, as PID 1 writes with its first instructions. Where an
// init runs the workload, what is left is the workload's alone; where it became the
// workload, its own work is in it.
func (coldGuest) last(i *instance) string {
	switch {
	case i.main != nil:
		return "first byte"
	case asked.Staged(i.spec):
		return "kernel and init"
	}
	return "kernel"
}

// status is what the guest's kernel says of PID 1's end: the one way in which a
// guest without any agent of ours tells it. It comes after everything that PID 1
// wrote.
func (coldGuest) status(i *instance, e bench.Exit) (bench.Exit, error) {
	text := daemon.Tail(i.file(".console"), 64<<10)
	if path, errno, ok := guest.NotExecuted(text); ok {
		return e, bench.Blamed(bench.BlameWorkload, &launch.ExecError{Path: path, Err: errno})
	}
	if status, ok := guest.PanicStatus(text); ok {
		if e.Code = status >> 8 & 0xff; status&0x7f != 0 {
			e.Code, e.Signal = -1, status&0x7f
		}
		return e, nil
	}
	return e, i.explain(bench.Blamed(bench.BlameMachine, errors.New("the guest ended without the end of its PID 1")))
}

// kill ends QEMU by the hold on its process: no PID can be mistaken, and
// libvirt needn't be alive.
func (coldGuest) kill(i *instance) error { return i.qemu.Kill() }

func (coldGuest) close(i *instance) error {
	var errs []error
	if i.created {
		// libvirt sees QEMU's end by itself; until it has, the domain is
		// still in its list.
		errs = append(errs, i.forget())
	}
	if i.qemu != nil {
		i.qemu.Release()
	}
	h := i.env.own
	h.Release()
	errs = append(errs, h.Detach(i.shown), i.data.Close())
	return errors.Join(errs...)
}

// Meter tells what QEMU costs the host, and how much of that is the guest's RAM.
func (i *instance) Meter() (bench.Cost, error) {
	p, err := smaps.Read(i.pid, i.cfg.Memory)
	return bench.Cost{Processes: []smaps.Process{p}}, err
}

// startHere makes what a domain in the lab's own libvirt needs, and then itself.
func (i *instance) startHere(ctx context.Context, make func(context.Context) error) (c net.Conn, err error) {
	h := i.env.own
	h.Hold()
	if i.conn, err = h.Connection(ctx); err != nil {
		h.Release()
		return nil, err
	}
	if i.console, err = guest.NewConsole(i.file(".serial"), i.cfg.User, i.cfg.Group); err != nil {
		return nil, err
	}
	// The file in which QEMU keeps what the console says, in a folder where it can
	// make none.
	f, err := os.OpenFile(i.file(".console"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		err = errors.Join(f.Close(), i.give(f.Name()))
	}
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if i.cfg.Data != nil {
		if err := i.makeData(ctx); err != nil {
			return nil, err
		}
		i.mark("disk", clock.Now())
	}
	if err := i.share(); err != nil {
		return nil, fmt.Errorf("show the guest a folder: %w", err)
	}
	var p *guest.Port
	if i.spec.Init {
		if p, err = guest.Listen(i.file(".port")); err != nil {
			return nil, err
		}
		defer p.Close()
		if err := i.give(i.file(".port")); err != nil {
			return nil, err
		}
	}
	i.events = i.conn.Watch(i.cfg.Name)
	if err := make(ctx); err != nil || p == nil {
		return nil, err
	}
	ctx, cancel := i.untilEnd(ctx)
	defer cancel(nil)
	if c, err = p.Wait(ctx); err != nil {
		return nil, errors.Join(context.Cause(ctx), err)
	}
	return c, nil
}

// give makes a file the domain's: QEMU opens it by its name.
func (i *instance) give(path string) error { return os.Lchown(path, i.cfg.User, i.cfg.Group) }

// boot has libvirt make the domain of a guest that boots.
func (i *instance) boot(ctx context.Context) error {
	text, err := domain.XML(i.cfg)
	if err != nil {
		return err
	}
	return i.create(ctx, "create domain", "configure", func(l *libvirt.Libvirt) error {
		_, err := l.DomainCreateXML(text, libvirt.DomainStartAutodestroy)
		return err
	})
}

// create makes the libvirt call that makes the domain, and whose end is that mark.
func (i *instance) create(ctx context.Context, what, mark string, make func(*libvirt.Libvirt) error) error {
	i.ooms = testbed.OOMKills()
	i.mark("prepare", clock.Now())
	qemu := guest.WatchOpen(i.cfg.Emulator)
	err := i.conn.Call(ctx, what, createTimeout, make)
	returned := clock.Now()
	i.mark("libvirt", qemu.Stop())
	i.mark("qemu", i.console.Opened())
	if err != nil && i.over() {
		i.mark(mark, i.resumed(returned))
		i.end(returned)
		return nil
	}
	if err != nil {
		return i.env.own.Blame(err)
	}
	i.created = true
	i.hold()
	i.mark(mark, i.resumed(returned))
	go i.follow()
	return nil
}

// over says whether a guest has done all that it was to do while its domain was being
// made. One without an operating system may be that fast on a busy machine: libvirt ends
// QEMU, as it does when a guest has switched itself off, and what it still waited for
// from QEMU it then calls an error. No domain is left of it.
func (i *instance) over() bool {
	_, err := i.how.status(i, bench.Exit{})
	return err == nil
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

// hold takes a hold on QEMU's process, by the PID that libvirt wrote down. A
// guest may have ended by now: then there is nothing to hold.
func (i *instance) hold() (held bool) {
	var err error
	if i.pid, err = i.env.own.QEMU(i.cfg.Name); err == nil {
		i.qemu, _ = os.FindProcess(i.pid) // without an error, whether or not it is there
		err = i.qemu.Signal(unix.Signal(0))
	}
	if err != nil {
		i.gone()
		return false
	}
	go func() {
		// A process descriptor becomes readable when its process ends
		// (pidfd_open(2)), whatever libvirt thinks.
		i.qemu.WithHandle(func(fd uintptr) {
			for err := error(unix.EINTR); err == unix.EINTR; {
				_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
			}
		})
		i.gone()
	}()
	return true
}

// gone writes down how QEMU ended. At once: libvirt, which has seen QEMU's monitor
// close, is about to look for the process, and if there is a zombie yet it sleeps
// for 0.2 s and looks again (virProcessKillPainfully).
func (i *instance) gone() {
	at := clock.Now()
	if ws, ok := i.env.own.Take(i.pid); ok {
		i.mu.Lock()
		i.death = testbed.Death(ws, i.ooms)
		i.mu.Unlock()
	}
	i.end(at)
}

// forget waits until libvirt has noticed the domain's end.
func (i *instance) forget() error {
	select {
	case <-i.stopped:
		return nil
	case <-time.After(client.CallTimeout):
		return i.conn.GiveUp("end of domain "+i.cfg.Name, client.CallTimeout)
	}
}

// share shows the daemon the folders, each at a place of its own.
func (i *instance) share() error {
	if len(i.spec.Mounts) == 0 {
		return nil
	}
	var binds []*daemon.Bind
	for n, m := range i.spec.Mounts {
		b := &daemon.Bind{From: m.Source, To: i.shareDir(n), Deep: true, Attr: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
		if m.ReadOnly {
			b.Attr |= unix.MOUNT_ATTR_RDONLY
		}
		binds = append(binds, b)
	}
	return i.show(binds...)
}

// shareDir is where the daemon sees an instance's folder.
func (i *instance) shareDir(n int) string {
	return filepath.Join(daemon.InsideShares, fmt.Sprintf("%s-%d", i.cfg.Name, n))
}

// show mounts in the daemon's namespace what is this instance's alone.
func (i *instance) show(binds ...*daemon.Bind) error {
	shown, err := i.env.own.Attach(binds...)
	i.shown = append(i.shown, shown...)
	return err
}

// makeData makes the instance's data disk, and shows it to QEMU.
func (i *instance) makeData(ctx context.Context) error {
	size, err := request.ParseSize(i.spec.Settings["disk-size"])
	if err != nil {
		return fmt.Errorf("data disk: %w", err)
	}
	if i.data, err = disk.NewData(ctx, asked.WorkDir(i.env.tb), size); err != nil {
		return bench.Blamed(bench.BlameMachine, err)
	}
	i.cfg.Data.File = daemon.InsideFiles + "/" + i.cfg.Name + ".data"
	// For QEMU, which no other user's descriptors are open to, the file is mounted.
	if err := i.data.Show(i.cfg.Name, i.cfg.User, i.cfg.Group, func(name string) error {
		return i.show(&daemon.Bind{From: name, To: i.cfg.Data.File, Attr: unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOSUID})
	}); err != nil {
		return fmt.Errorf("data disk: %w", err)
	}
	return nil
}

// Place is where the data disk is, with Spec.Work.
func (i *instance) Place() string { return asked.DataDir }

// Cool drives the data disk out of the host's page cache, where it is with
// cache=writeback. Some of it may stay: the guest's own kernel writes on; and all
// of it where the work folder is RAM, as the report says.
func (i *instance) Cool() error { return i.data.Drop() }
