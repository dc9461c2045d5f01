package vm

import (
	"context"
	"fmt"
	"net"
	"time"

	"lab/vm/client"
)

// A port is the lab's end of the virtio serial port that the guest's init
// speaks through: a socket on which the lab listens, and to which QEMU connects
// as it makes the device.
type port struct {
	l   *net.UnixListener
	got chan accepted
}

type accepted struct {
	c   net.Conn
	err error
}

// listen makes the socket and waits, on its own goroutine, for QEMU.
func listen(path string) (*port, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("guest's port: %w", err)
	}
	p := &port{l: l, got: make(chan accepted, 1)}
	go func() {
		c, err := l.Accept()
		p.got <- accepted{c, err}
	}()
	return p, nil
}

// wait returns QEMU's connection.
func (p *port) wait(ctx context.Context) (net.Conn, error) {
	t := time.NewTimer(client.CallTimeout)
	defer t.Stop()
	select {
	case a := <-p.got:
		return a.c, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.C:
		return nil, fmt.Errorf("guest's port: QEMU didn't connect within %v", client.CallTimeout)
	}
}

// close removes the socket. A connection that was taken stays; one that nobody
// took is closed.
func (p *port) close() {
	p.l.Close() // also removes the file, and ends Accept
	go func() {
		select {
		case a := <-p.got:
			if a.c != nil {
				a.c.Close()
			}
		case <-time.After(client.CallTimeout):
		}
	}()
}
