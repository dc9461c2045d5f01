package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/digitalocean/go-libvirt"
	"github.com/digitalocean/go-libvirt/socket/dialers"

	"lab/bench"
	"lab/bench/clock"
)

// CallTimeout bounds a libvirt call that should take milliseconds.
const CallTimeout = 10 * time.Second

// A CallError is a libvirt call that failed or wasn't answered.
type CallError struct {
	Call string
	Err  error
}

func (e *CallError) Error() string { return "libvirt: " + e.Call + ": " + e.Err.Error() }
func (e *CallError) Unwrap() error { return e.Err }

// errNoAnswer says that a daemon didn't answer in time.
var errNoAnswer = errors.New("no answer, so the connection was dropped")

// A Conn is a connection to a libvirt daemon, with a deadline for each call.
//
// The libvirt package has none: a call waits for its answer for as long as the
// socket is open. A call that takes too long therefore closes the socket, and
// ends every other call on it, too. The daemon then ends the domains that this
// connection has made (autodestroy).
type Conn struct {
	l    *libvirt.Libvirt
	nc   net.Conn
	Gone chan struct{} // closed when the connection is

	mu    sync.Mutex
	subs  map[string]chan<- Event
	stuck bool // a call wasn't answered
}

// An Event is a change in a domain's life.
type Event struct {
	Kind   libvirt.DomainEventType
	detail int32
	At     clock.Time
}

// Connect connects to the daemon that listens on a socket.
func Connect(ctx context.Context, socket string) (*Conn, error) {
	var dialer net.Dialer
	dctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	nc, err := dialer.DialContext(dctx, "unix", socket)
	if err != nil {
		return nil, &CallError{"connect", err}
	}
	return Open(ctx, nc, string(libvirt.QEMUSystem))
}

// Open opens a driver over a connection, which it closes with an error.
func Open(ctx context.Context, nc net.Conn, driver string) (*Conn, error) {
	return handshake(ctx, nc, driver, true)
}

// handshake is Open, with or without the events of domains' lives.
func handshake(ctx context.Context, nc net.Conn, driver string, events bool) (*Conn, error) {
	c := &Conn{
		l:    libvirt.NewWithDialer(dialers.NewAlreadyConnected(nc)),
		nc:   nc,
		Gone: make(chan struct{}),
		subs: make(map[string]chan<- Event),
	}
	if err := c.Call(ctx, "open "+driver, CallTimeout, func(l *libvirt.Libvirt) error {
		return l.ConnectToURI(libvirt.ConnectURI(driver))
	}); err != nil {
		nc.Close()
		return nil, err
	}
	go func() {
		<-c.l.Disconnected()
		close(c.Gone)
	}()
	if !events {
		return c, nil
	}
	if err := c.subscribe(ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

// subscribe has the daemon tell of each domain's life.
func (c *Conn) subscribe(ctx context.Context) error {
	// One subscription for all domains, made once: subscribing for each would
	// be two more calls in every start.
	var events <-chan libvirt.DomainEventLifecycleMsg
	if err := c.Call(ctx, "subscribe to events", CallTimeout, func(l *libvirt.Libvirt) (err error) {
		events, err = l.LifecycleEvents(context.Background())
		return err
	}); err != nil {
		return err
	}
	go c.dispatch(events)
	return nil
}

// CallGrace is how long a call may still take after the caller gave up.
const CallGrace = 5 * time.Second

// Call makes a libvirt call, and returns when the call has. One that takes
// longer than the timeout, or that is still without an answer some seconds
// after ctx ended, costs the connection. A caller who gave up waits for that
// grace since other instances live on the same connection.
func (c *Conn) Call(ctx context.Context, name string, timeout time.Duration, f func(*libvirt.Libvirt) error) error {
	if err := ctx.Err(); err != nil {
		return &CallError{name, err}
	}
	done := make(chan error, 1)
	go func() { done <- f(c.l) }()
	var err error
	select {
	case err = <-done:
	case <-time.After(timeout):
		err = c.drop(timeout)
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(CallGrace):
			err = errors.Join(ctx.Err(), c.drop(CallGrace))
		}
	}
	if err != nil {
		return &CallError{name, err}
	}
	return nil
}

// drop closes the connection, which makes every call on it return.
func (c *Conn) drop(waited time.Duration) error {
	c.mu.Lock()
	c.stuck = true
	c.mu.Unlock()
	c.nc.Close()
	return bench.Blamed(bench.BlameMachine, fmt.Errorf("%w after %v", errNoAnswer, waited))
}

// GiveUp closes the connection, as call, which isn't one of package libvirt's,
// wasn't answered in time.
func (c *Conn) GiveUp(call string, waited time.Duration) error {
	return &CallError{call, c.drop(waited)}
}

// dispatch hands events to those who watch their domain.
func (c *Conn) dispatch(events <-chan libvirt.DomainEventLifecycleMsg) {
	for m := range events {
		e := Event{libvirt.DomainEventType(m.Event), m.Detail, clock.Now()}
		c.mu.Lock()
		ch := c.subs[m.Dom.Name]
		c.mu.Unlock()
		if ch == nil {
			continue
		}
		select {
		case ch <- e:
		default: // a domain has a handful of events; this one has a storm
		}
	}
}

// Watch returns the events of a domain that will have this name.
func (c *Conn) Watch(name string) <-chan Event {
	ch := make(chan Event, 32)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subs[name] = ch
	return ch
}

// Unwatch ends a Watch.
func (c *Conn) Unwatch(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.subs, name)
}

// Alive says whether calls can be made.
func (c *Conn) Alive() bool {
	select {
	case <-c.Gone:
		return false
	default:
		return true
	}
}

// Silent says whether the daemon left a call without an answer.
func (c *Conn) Silent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stuck
}

// Close ends the connection, and with it the domains that it made.
func (c *Conn) Close(ctx context.Context) error {
	if !c.Alive() {
		return nil
	}
	err := c.Call(ctx, "close", CallTimeout, (*libvirt.Libvirt).Disconnect)
	c.nc.Close()
	return err
}
