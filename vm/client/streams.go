package client

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/digitalocean/go-libvirt"
)

// Streams is a connection of one domain's own, on which its console and its init's
// channel come. A guest that floods its console holds up nothing else by that.
type Streams struct {
	conn *Conn
	tap  *tap
}

// OpenStreams opens a driver over a connection, which it closes with an error.
func OpenStreams(ctx context.Context, nc net.Conn, driver string) (*Streams, error) {
	t := newTap(nc)
	c, err := handshake(ctx, t, driver, false)
	return &Streams{c, t}, err
}

// Close ends the streams.
func (s *Streams) Close() { s.tap.Close() }

// open opens a stream: a call that returns when the stream ends.
func (s *Streams) open(ctx context.Context, proc uint32, call func(*libvirt.Libvirt) error) error {
	ended := make(chan error, 1)
	go func() { ended <- call(s.conn.l) }()
	late := time.NewTimer(CallTimeout)
	defer late.Stop()
	select {
	case <-s.tap.opened(proc):
		return nil
	case err := <-ended:
		return &CallError{"open stream", errors.Join(err, io.ErrUnexpectedEOF)}
	case <-ctx.Done():
		return &CallError{"open stream", ctx.Err()}
	case <-late.C:
		return s.conn.GiveUp("open stream", CallTimeout)
	}
}

// Console writes what a domain's console says to w, until ended is closed.
func (s *Streams) Console(ctx context.Context, d libvirt.Domain, w io.Writer) (ended <-chan struct{}, err error) {
	done := make(chan struct{})
	return done, s.open(ctx, procOpenConsole, func(l *libvirt.Libvirt) error {
		defer close(done)
		return l.DomainOpenConsole(d, nil, w, 0)
	})
}

// Channel opens the channel of that name.
func (s *Streams) Channel(ctx context.Context, d libvirt.Domain, name string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	err := s.open(ctx, procOpenChannel, func(l *libvirt.Libvirt) error {
		defer theirs.Close()
		return l.DomainOpenChannel(d, libvirt.OptString{name}, theirs, 0)
	})
	if err != nil {
		ours.Close()
		return nil, err
	}
	go func() {
		defer theirs.Close()
		buf := make([]byte, rpcChunk)
		for {
			n, err := theirs.Read(buf)
			if err == nil {
				err = s.tap.send(procOpenChannel, buf[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	return ours, nil
}
