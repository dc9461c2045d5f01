package vm

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

// callTimeout bounds a libvirt call that should take milliseconds.
const callTimeout = 10 * time.Second

// A CallError is a libvirt call that failed or wasn't answered.
type CallError struct {
	Call string
	Err  error
}

func (e *CallError) Error() string { return "libvirt: " + e.Call + ": " + e.Err.Error() }
func (e *CallError) Unwrap() error { return e.Err }

// errNoAnswer says that a daemon didn't answer in time.
var errNoAnswer = errors.New("no answer, so the connection was dropped")

// A conn is a connection to a libvirt daemon, with a deadline for each call.
//
// The libvirt package has none: a call waits for its answer for as long as the
// socket is open. A call that takes too long therefore closes the socket, and
// ends every other call on it, too. The daemon then ends the domains that this
// connection has made (autodestroy).
type conn struct {
	l    *libvirt.Libvirt
	nc   net.Conn
	gone chan struct{} // closed when the connection is

	mu    sync.Mutex
	subs  map[string]chan<- event
	stuck bool // a call wasn't answered
}

// An event is a change in a domain's life.
type event struct {
	kind   libvirt.DomainEventType
	detail int32
	at     clock.Time
}

// connect connects to the daemon that listens on a socket.
func connect(ctx context.Context, socket string) (*conn, error) {
	var dialer net.Dialer
	dctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	nc, err := dialer.DialContext(dctx, "unix", socket)
	if err != nil {
		return nil, &CallError{"connect", err}
	}
	return handshake(ctx, nc, string(libvirt.QEMUSystem), true)
}

// handshake opens a driver over a connection, which it closes with an error.
func handshake(ctx context.Context, nc net.Conn, driver string, events bool) (*conn, error) {
	c := &conn{
		l:    libvirt.NewWithDialer(dialers.NewAlreadyConnected(nc)),
		nc:   nc,
		gone: make(chan struct{}),
		subs: make(map[string]chan<- event),
	}
	if err := c.call(ctx, "open "+driver, callTimeout, func(l *libvirt.Libvirt) error {
		return l.ConnectToURI(libvirt.ConnectURI(driver))
	}); err != nil {
		nc.Close()
		return nil, err
	}
	go func() {
		<-c.l.Disconnected()
		close(c.gone)
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
func (c *conn) subscribe(ctx context.Context) error {
	// One subscription for all domains, made once: subscribing for each would
	// be two more calls in every start.
	var events <-chan libvirt.DomainEventLifecycleMsg
	if err := c.call(ctx, "subscribe to events", callTimeout, func(l *libvirt.Libvirt) (err error) {
		events, err = l.LifecycleEvents(context.Background())
		return err
	}); err != nil {
		return err
	}
	go c.dispatch(events)
	return nil
}

// callGrace is how long a call may still take after the caller gave up.
const callGrace = 5 * time.Second

// call makes a libvirt call, and returns when the call has. One that takes
// longer than the timeout, or that is still without an answer some seconds
// after ctx ended, costs the connection. A caller who gave up waits for that
// grace since other instances live on the same connection.
func (c *conn) call(ctx context.Context, name string, timeout time.Duration, f func(*libvirt.Libvirt) error) error {
	if err := ctx.Err(); err != nil {
		return &CallError{name, err}
	}
	done := make(chan error, 1)
	go func() { done <- f(c.l) }()
	late := time.NewTimer(timeout)
	defer late.Stop()
	var err error
	select {
	case err = <-done:
	case <-late.C:
		err = c.drop(timeout)
	case <-ctx.Done():
		grace := time.NewTimer(callGrace)
		defer grace.Stop()
		select {
		case err = <-done:
		case <-grace.C:
			err = errors.Join(ctx.Err(), c.drop(callGrace))
		}
	}
	if err != nil {
		return &CallError{name, err}
	}
	return nil
}

// drop closes the connection, which makes every call on it return.
func (c *conn) drop(waited time.Duration) error {
	c.mu.Lock()
	c.stuck = true
	c.mu.Unlock()
	c.nc.Close()
	return bench.Blamed(bench.BlameMachine, fmt.Errorf("%w after %v", errNoAnswer, waited))
}

// dispatch hands events to those who watch their domain.
func (c *conn) dispatch(events <-chan libvirt.DomainEventLifecycleMsg) {
	for m := range events {
		e := event{libvirt.DomainEventType(m.Event), m.Detail, clock.Now()}
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

// watch returns the events of a domain that will have this name.
func (c *conn) watch(name string) <-chan event {
	ch := make(chan event, 32)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subs[name] = ch
	return ch
}

func (c *conn) unwatch(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.subs, name)
}

// alive says whether calls can be made.
func (c *conn) alive() bool {
	select {
	case <-c.gone:
		return false
	default:
		return true
	}
}

// silent says whether the daemon left a call without an answer.
func (c *conn) silent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stuck
}

// close ends the connection, and with it the domains that it made.
func (c *conn) close(ctx context.Context) error {
	if !c.alive() {
		return nil
	}
	err := c.call(ctx, "close", callTimeout, (*libvirt.Libvirt).Disconnect)
	c.nc.Close()
	return err
}
