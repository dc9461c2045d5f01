package docker

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/moby/moby/client"
)

// A conn is one instance's client of the engine. Each call has a connection of its own,
// as that of a command that begins has, and close waits until all are closed.
type conn struct {
	*client.Client
	to route

	mu   sync.Mutex
	open map[*socket]bool
	lost error // of the last that couldn't be opened, which the client's own error hides
	all  sync.WaitGroup
}

// A route is the way to an engine.
type route struct {
	network, address string                   // "unix" and a path, or "tcp" and HOST:PORT
	open             func() (net.Conn, error) // instead of these, where it isn't this process that can; nil mostly
}

// flag is what the command docker is told of it.
func (r route) flag() string { return r.network + "://" + r.address }

// A half can be closed for writing alone.
type half interface {
	net.Conn
	CloseWrite() error
}

func (r route) connect(ctx context.Context) (half, error) {
	var c net.Conn
	var err error
	if r.open != nil {
		c, err = r.open()
	} else {
		c, err = (&net.Dialer{}).DialContext(ctx, r.network, r.address)
	}
	if err != nil {
		return nil, err
	}
	return c.(half), nil // a Unix or TCP socket
}

// dial returns a client of the engine. It connects with its first call.
func (d *daemon) dial() (*conn, error) {
	c := &conn{to: d.route, open: map[*socket]bool{}}
	options := []client.Opt{
		client.WithHTTPClient(&http.Client{Transport: &http.Transport{DialContext: c.connect, DisableKeepAlives: true}}),
		client.WithHost("tcp://engine"), client.WithDialContext(c.connect)}
	if d.version != "" {
		options = append(options, client.WithAPIVersion(d.version))
	}
	var err error
	c.Client, err = client.New(options...)
	return c, err
}

// A socket is a connection to the engine that is counted.
type socket struct {
	half
	of   *conn
	once sync.Once
}

// Close closes it.
func (s *socket) Close() (err error) {
	s.once.Do(func() {
		err = s.half.Close()
		s.of.mu.Lock()
		delete(s.of.open, s)
		s.of.mu.Unlock()
		s.of.all.Done()
	})
	return err
}

func (c *conn) connect(ctx context.Context, _, _ string) (net.Conn, error) {
	x, err := c.to.connect(ctx)
	if err != nil {
		c.mu.Lock()
		c.lost = err
		c.mu.Unlock()
		return nil, err
	}
	s := &socket{half: x, of: c}
	c.mu.Lock()
	c.open[s] = true
	c.all.Add(1)
	c.mu.Unlock()
	return s, nil
}

// close closes what is open. Those who wait for an answer are told.
func (c *conn) close() {
	c.mu.Lock()
	var all []*socket
	for s := range c.open {
		all = append(all, s)
	}
	c.mu.Unlock()
	for _, s := range all {
		s.Close()
	}
	c.all.Wait()
}
