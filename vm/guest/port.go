package guest

import (
	"context"
	"fmt"
	"net"
	"time"
)

// A Port is the lab's end of the virtio serial port that the guest's init
// speaks through: a socket on which the lab listens, and to which QEMU connects
// as it makes the device.
type Port struct {
	l   *net.UnixListener
	got chan accepted
}

type accepted struct {
	c   net.Conn
	err error
}

// portTimeout bounds what should take QEMU milliseconds.
const portTimeout = 10 * time.Second

// Listen makes the socket and waits, on its own goroutine, for QEMU.
func Listen(path string) (*Port, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("guest's port: %w", err)
	}
	p := &Port{l: l, got: make(chan accepted, 1)}
	go func() {
		c, err := l.Accept()
		p.got <- accepted{c, err}
	}()
	return p, nil
}

// Wait returns QEMU's connection.
func (p *Port) Wait(ctx context.Context) (net.Conn, error) {
	t := time.NewTimer(portTimeout)
	defer t.Stop()
	select {
	case a := <-p.got:
		return a.c, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.C:
		return nil, fmt.Errorf("guest's port: QEMU didn't connect within %v", portTimeout)
	}
}

// Close removes the socket. A connection that was taken stays; one that nobody
// took is closed.
func (p *Port) Close() {
	p.l.Close() // also removes the file, and ends Accept
	go func() {
		select {
		case a := <-p.got:
			if a.c != nil {
				a.c.Close()
			}
		case <-time.After(portTimeout):
		}
	}()
}
