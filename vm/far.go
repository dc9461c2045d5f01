package vm

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/digitalocean/go-libvirt"
	"golang.org/x/sys/unix"

	"lab/bench/clock"
	"lab/vm/client"
	"lab/vm/domain"
	"lab/vm/guest"
)

// A far is what an instance has of a domain in a foreign libvirt.
type far struct {
	dom     libvirt.Domain
	streams *client.Streams
	said    *os.File        // a copy of the console's text
	out     *os.File        // write end of the pipe that Ready is
	console <-chan struct{} // closed at the console's end
}

// startFar is start for a foreign libvirt: the domain is made with its CPU
// halted, the streams are opened, and then it runs.
func (i *instance) startFar(ctx context.Context) (err error) {
	i.env.reaper.hold()
	if i.conn, err = i.env.connection(ctx); err != nil {
		return err
	}
	x := &far{}
	i.far = x
	c, err := i.env.far.dial()
	if err != nil {
		return err
	}
	if x.streams, err = client.OpenStreams(ctx, c, i.env.far.driver); err != nil {
		return err
	}
	if err := i.farConsole(); err != nil {
		return err
	}
	text, err := domain.XML(i.cfg)
	if err != nil {
		return err
	}
	i.events = i.conn.Watch(i.cfg.Name)
	i.mark("prepare", clock.Now())
	err = i.conn.Call(ctx, "create domain", createTimeout, func(l *libvirt.Libvirt) (err error) {
		x.dom, err = l.DomainCreateXML(text, libvirt.DomainStartAutodestroy|libvirt.DomainStartPaused)
		return err
	})
	if err != nil {
		return err
	}
	i.created = true
	i.mark("libvirt", clock.Now())
	x.console, err = x.streams.Console(ctx, x.dom, x)
	go i.followFar()
	if err != nil {
		return err
	}
	var ch net.Conn
	if i.spec.Init {
		if ch, err = x.streams.Channel(ctx, x.dom, domain.ChannelName); err != nil {
			return err
		}
	}
	i.mark("streams", clock.Now())
	if err := i.conn.Call(ctx, "start the CPU", createTimeout, func(l *libvirt.Libvirt) error { return l.DomainResume(x.dom) }); err != nil {
		return i.explain(err)
	}
	i.mark("configure", clock.Now())
	if ch == nil {
		return ctx.Err()
	}
	if err := i.execute(ctx, ch); err != nil {
		return i.explain(err)
	}
	return nil
}

// farConsole makes the pipe that the console's text comes through, as from
// QEMU's own.
func (i *instance) farConsole() (err error) {
	if i.console, i.far.out, err = guest.PipeConsole(); err != nil {
		return err
	}
	unix.SetNonblock(int(i.far.out.Fd()), true)
	i.far.said, err = os.Create(i.file(".console"))
	return err
}

// Write takes what the console says. What nobody reads is dropped when the pipe
// is full: it would hold up the init's channel.
func (x *far) Write(b []byte) (int, error) {
	if st, err := x.said.Stat(); err == nil && st.Size() < maxLog {
		x.said.Write(b)
	}
	guest.Control(x.out, func(fd int) error {
		_, err := unix.Write(fd, b)
		return err
	})
	return len(b), nil
}

// followFar waits for the domain's end: libvirt tells of it, and the end of
// the connection is the domain's, too.
func (i *instance) followFar() {
	i.follow()
	// The console's last words come on another connection.
	late := time.NewTimer(time.Second)
	defer late.Stop()
	select {
	case <-i.far.console:
	case <-late.C:
	}
	i.far.out.Close()
	i.end()
}

// killFar ends the domain.
func (i *instance) killFar() error {
	err := i.conn.Call(context.Background(), "destroy domain", client.CallTimeout, func(l *libvirt.Libvirt) error {
		err := l.DomainDestroy(i.far.dom)
		if libvirt.IsNotFound(err) {
			return nil // it ended by itself
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("end %s: %w", i.cfg.Name, err)
	}
	return nil
}

// close ends the streams.
func (x *far) close() {
	if x.streams != nil {
		x.streams.Close()
	}
	if x.out != nil {
		x.out.Close()
	}
	if x.said != nil {
		x.said.Close()
	}
}
