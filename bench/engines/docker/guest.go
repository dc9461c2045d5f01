package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"lab/bench"
	"lab/bench/foreign"
	"lab/bench/testbed"
)

// Docker in a virtual machine, as on machines whose system isn't Linux: the engine is in a
// guest, and who asks it is outside. The guest is started once a run, as an engine of the
// lab's own is, and what is timed is what is timed there: a container's start.

// guests is what makes such guests.
type guests interface {
	bench.Environment
	bench.Virtualizer
	bench.Resolver
	bench.Versioner
	bench.Meter
}

// A Guest is the environment docker-vm.
type Guest struct {
	*Env
	bench.Virtualizer
	bench.Resolver
}

// InGuest returns the environment docker-vm, whose guests the environment given makes:
// with its setting net=bridge, one that listens for Docker's API on enginePort.
func InGuest(guest guests) *Guest {
	e := &Env{daemons: map[which]*daemon{}, guest: guest}
	m := foreign.Maker{Name: "docker-vm", Program: "qemu-system-x86_64", Package: "qemu-system-x86", Check: e.check, Prepare: e.prepare}
	for _, s := range guest.Settings() {
		if s.Name != "net" && s.Name != bench.PageCache.Name {
			m.Settings = append(m.Settings, s)
		}
	}
	m.About.Is, m.About.Apart = "a container that Docker's engine makes in a virtual machine", true
	m.About.Guest, m.About.Kernel, m.About.Slow = true, guest.About().Kernel, true
	m.About.Needs = guest.About().Needs
	m.About.More = "What Docker is where the system isn't Linux: the engine is in a guest, a Debian with its package docker.io and all of Docker's defaults (AppArmor, its own bridge), and the lab asks it over TCP, through the testbed's bridge. " +
		"The guest boots once a run, before anything is timed; the environment docker is the same without the virtual machine."
	e.Env = foreign.New(m)
	return &Guest{e, guest, guest}
}

// enginePort is where the engine in the guest listens.
const enginePort = 2375

// guestWithin is how long the guest may take to boot, and its engine to start: under
// emulation, on a machine that does much else. A variable for the tests alone.
var guestWithin = 4 * time.Minute

// About says what of a row is a virtual machine's.
func (g *Guest) About() bench.About {
	a := g.Env.About()
	for _, r := range g.guest.About().Rests {
		if !slices.Contains(a.Rests, r) {
			a.Rests = append(a.Rests, r)
		}
	}
	a.Caveat = "a whole call of Docker's engine, which runs in a guest that was started before: create, attach, start, over TCP"
	return a
}

// Open opens the guests' environment, too.
func (g *Guest) Open(ctx context.Context, tb *testbed.Testbed) error {
	return errors.Join(g.guest.Open(ctx, tb), g.Env.Open(ctx, tb))
}

// Describe says what Prepare and Start do.
func (g *Guest) Describe(s bench.Spec) (prepare, start []string) {
	s.Settings = maps.Clone(s.Settings)
	delete(s.Settings, "net") // its network is the guest's own affair
	_, start = g.Env.Describe(s)
	return []string{"a guest boots, and starts dockerd and its containerd", "send it the image"}, start[1:]
}

// Versions are those of the guests' environment.
func (g *Guest) Versions() map[string]string { return g.guest.Versions() }

// Meter tells what the guests cost, with all that is in them.
func (g *Guest) Meter() (bench.Cost, error) {
	c, err := g.guest.Meter()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, d := range g.daemons {
		if m, ok := d.guest.(bench.Meter); ok {
			more, merr := m.Meter()
			c.Processes, err = append(c.Processes, more.Processes...), errors.Join(err, merr)
		}
	}
	return c, err
}

// Close ends the guests, and then their environment.
func (g *Guest) Close() error { return errors.Join(g.Env.Close(), g.guest.Close()) }

// guestSettings are those of a Spec's that are the guest's.
func (e *Env) guestSettings(s bench.Spec) map[string]string {
	out := map[string]string{}
	for _, x := range e.guest.Settings() {
		if v, ok := s.Settings[x.Name]; ok && x.Name != "net" {
			out[x.Name] = v
		}
	}
	return out
}

// guestSpec is the guest that the engine is in: its own program only stays.
func (e *Env) guestSpec(s bench.Spec) bench.Spec {
	set, err := bench.Resolve(e.guest, e.guestSettings(s))
	if err != nil {
		set = e.guestSettings(s) // Check says it
	}
	set["net"] = foreign.NetBridge
	return bench.Spec{Image: s.Image, Settings: set, Init: true,
		Command: bench.Command{Argv: []string{"/bin/sleep", "infinity"}}}
}

// inGuest starts a guest, and returns the engine in it when that answers.
func (e *Env) inGuest(ctx context.Context, s bench.Spec) (_ *daemon, err error) {
	ctx, cancel := context.WithTimeout(ctx, guestWithin)
	defer cancel()
	i, err := e.guest.Prepare(ctx, e.guestSpec(s))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("docker: the engine's guest: %w", err), i.Close())
		}
	}()
	if err := i.Start(ctx); err != nil {
		return nil, err
	}
	a, ok := i.(bench.Addresser)
	if !ok {
		return nil, errors.New("it has no address")
	}
	d := &daemon{tb: e.tb, others: true, guest: i, ended: make(chan struct{}), images: map[string]stored{},
		route: route{network: "tcp", address: fmt.Sprintf("%s:%d", a.Addr(), enginePort)}}
	go func() {
		defer close(d.ended)
		i.Wait(context.Background())
	}()
	return d, d.await(ctx)
}
