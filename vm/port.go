package vm

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/clock"
)

// A port is one of a guest's serial ports: a socket on which the lab listens,
// and to which QEMU connects as it makes the device.
type port struct {
	path string
	l    *net.UnixListener
	got  chan connected
}

// connected is QEMU's end of the connection being there.
type connected struct {
	f   *os.File // the lab's end
	pid int      // QEMU's
	at  clock.Time
	err error
}

// listen makes the socket and waits, on its own goroutine, for QEMU.
func listen(path string) (*port, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	p := &port{path: path, l: l, got: make(chan connected, 1)}
	go func() {
		uc, err := l.AcceptUnix()
		c := connected{at: clock.Now(), err: err}
		if err == nil {
			c.pid, c.f, c.err = take(uc)
		}
		p.got <- c
	}()
	return p, nil
}

// take makes a connection an ordinary file, for reading with read(2) rather
// than through Go's poller, and asks who is at its other end.
func take(uc *net.UnixConn) (pid int, f *os.File, err error) {
	defer uc.Close()
	rc, err := uc.SyscallConn()
	if err != nil {
		return 0, nil, err
	}
	var cerr error
	err = rc.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, cerr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); cerr != nil {
			return
		}
		pid = int(cred.Pid)
		// A plain blocking file; os.NewFile on a non-blocking descriptor
		// would give it to the poller.
		var n int
		if n, cerr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3); cerr != nil {
			return
		}
		if cerr = unix.SetNonblock(n, false); cerr == nil {
			f = os.NewFile(uintptr(n), "console")
		}
	})
	if err == nil {
		err = cerr
	}
	return pid, f, err
}

// wait returns QEMU's connection.
func (p *port) wait(ctx context.Context, timeout time.Duration) (connected, error) {
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case c := <-p.got:
		return c, c.err
	case <-ctx.Done():
		return connected{}, ctx.Err()
	case <-t.C:
		return connected{}, fmt.Errorf("QEMU didn't connect to its console within %v", timeout)
	}
}

// close removes the socket; a connection that was taken stays.
func (p *port) close() {
	p.l.Close() // also unlinks the path
	select {
	case c := <-p.got:
		if c.f != nil {
			c.f.Close()
		}
	default:
	}
}
