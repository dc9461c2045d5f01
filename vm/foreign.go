package vm

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/digitalocean/go-libvirt"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/clock"
	"lab/vm/asked"
	"lab/vm/client"
	"lab/vm/domain"
	"lab/vm/foreign"
	"lab/vm/guest"
)

// foreignGuest is a guest that boots in a foreign libvirt. QEMU is where that is:
// its process, its files and the bridge aren't there.
type foreignGuest struct{ coldGuest }

// A far is what an instance has of a domain in a foreign libvirt.
type far struct {
	dom     libvirt.Domain
	streams *client.Streams
	said    *os.File        // a copy of the console's text
	out     *os.File        // write end of the pipe that Ready is
	console <-chan struct{} // closed at the console's end
}

func (foreignGuest) refuses(s bench.Spec) error {
	const cure = "without --connect"
	switch {
	case asked.Restored(s):
		return bench.NotApplicable("a saved guest is a file of this machine's, and the foreign libvirt would restore it under one name alone", cure)
	case bench.Cold(s):
		return bench.NotApplicable("what the foreign libvirt's machine has in memory is its own affair", cure)
	case s.Settings["firmware"] == "qboot":
		return bench.NotApplicable("which firmware the foreign libvirt's machine has isn't known here", cure+", or --variant firmware=seabios")
	case asked.HasDisk(s):
		return bench.NotApplicable("a guest's own disk is a file without a name on this machine", cure)
	case s.Settings["net"] == "bridge":
		return bench.NotApplicable("the testbed's bridge is on this machine, and the guest isn't", cure+", or --variant net=network,network=NAME of one that the foreign libvirt has")
	case len(s.Mounts) > 0:
		return bench.NotApplicable("the folders are on this machine, and the guest isn't", cure)
	}
	return nil
}

func (foreignGuest) describe(prepare, start []string) ([]string, []string) {
	prepare[0], start[0] = "the foreign libvirt is connected to", "connect again, for the console"
	return append(prepare, "the guest's files are uploaded as storage volumes"), start
}

func (foreignGuest) define(i *instance, _ int64) {
	i.cfg.Remote, i.cfg.Owner = true, foreign.Machine()
	if i.spec.Init {
		i.cfg.Channel = domain.ChannelName // whose socket is libvirt's own
	}
}

// start makes the domain with its CPU halted, opens the streams, and then sets it
// running.
func (foreignGuest) start(ctx context.Context, i *instance) (c net.Conn, err error) {
	f, x := i.env.far, &far{}
	i.far = x
	if i.conn, err = f.Connection(ctx); err != nil {
		return nil, err
	}
	nc, err := f.Dial()
	if err != nil {
		return nil, err
	}
	if x.streams, err = client.OpenStreams(ctx, nc, f.Driver); err != nil {
		return nil, err
	}
	// A pipe that the console's text comes through, as from QEMU's own.
	if i.console, x.out, err = guest.PipeConsole(); err != nil {
		return nil, err
	}
	unix.SetNonblock(int(x.out.Fd()), true)
	if x.said, err = os.Create(i.file(".console")); err != nil {
		return nil, err
	}
	text, err := domain.XML(i.cfg)
	if err != nil {
		return nil, err
	}
	i.events = i.conn.Watch(i.cfg.Name)
	i.mark("prepare", clock.Now())
	if err := i.conn.Call(ctx, "create domain", createTimeout, func(l *libvirt.Libvirt) (err error) {
		x.dom, err = l.DomainCreateXML(text, libvirt.DomainStartAutodestroy|libvirt.DomainStartPaused)
		return err
	}); err != nil {
		return nil, err
	}
	i.created = true
	i.mark("libvirt", clock.Now())
	x.console, err = x.streams.Console(ctx, x.dom, x)
	go x.follow(i)
	if err == nil && i.spec.Init {
		c, err = x.streams.Channel(ctx, x.dom, domain.ChannelName)
	}
	if err != nil {
		return nil, err
	}
	i.mark("streams", clock.Now())
	if err := i.conn.Call(ctx, "start the CPU", createTimeout, func(l *libvirt.Libvirt) error { return l.DomainResume(x.dom) }); err != nil {
		if c != nil {
			c.Close()
		}
		return nil, err
	}
	i.mark("configure", clock.Now())
	return c, nil
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

// follow waits for the domain's end: libvirt tells of it, and the end of the
// connection is the domain's, too.
func (x *far) follow(i *instance) {
	i.follow()
	// The console's last words come on another connection.
	select {
	case <-x.console:
	case <-time.After(time.Second):
	}
	x.out.Close()
	i.end(clock.Now())
}

func (foreignGuest) kill(i *instance) error {
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
func (foreignGuest) close(i *instance) error {
	x := i.far
	if x.streams != nil {
		x.streams.Close()
	}
	for _, f := range []*os.File{x.out, x.said} {
		if f != nil {
			f.Close()
		}
	}
	return nil
}
