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
	path string

	mu   sync.Mutex
	open map[*socket]bool
	all  sync.WaitGroup
}

// dial returns a client of the engine. It connects with its first call.
func (d *daemon) dial() (*conn, error) {
	c := &conn{path: d.socket(), open: map[*socket]bool{}}
	options := []client.Opt{
		client.WithHTTPClient(&http.Client{Transport: &http.Transport{DialContext: c.connect, DisableKeepAlives: true}}),
		client.WithHost("unix://" + c.path), client.WithDialContext(c.connect)}
	if d.version != "" {
		options = append(options, client.WithAPIVersion(d.version))
	}
	var err error
	c.Client, err = client.New(options...)
	return c, err
}

// A socket is a connection to the engine that is counted.
type socket struct {
	*net.UnixConn
	of   *conn
	once sync.Once
}

// Close closes it.
func (s *socket) Close() (err error) {
	s.once.Do(func() {
		err = s.UnixConn.Close()
		s.of.mu.Lock()
		delete(s.of.open, s)
		s.of.mu.Unlock()
		s.of.all.Done()
	})
	return err
}

func (c *conn) connect(ctx context.Context, _, _ string) (net.Conn, error) {
	x, err := (&net.Dialer{}).DialContext(ctx, "unix", c.path)
	if err != nil {
		return nil, err
	}
	s := &socket{UnixConn: x.(*net.UnixConn), of: c}
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
