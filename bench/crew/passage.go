package crew

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The worker lives in a network namespace of its own, from which no other
// machine can be reached, and has none of the user's keys. So its supervisor
// opens the connections to foreign services (a libvirt, an engine, a registry)
// and hands their descriptors over: over a pair of sockets, the worker's
// requests one way, each a byte, and the answers the other, each a descriptor or
// the words of an error.

// A Passage is what the supervisor opens connections with.
type Passage struct {
	Dial func() (net.Conn, error)

	// Copy hands on what the foreign service sends where that isn't a plain
	// socket whose descriptor can be handed over (TLS, SSH); nil is io.Copy.
	Copy func(to io.Writer, from io.Reader) error
}

// Open begins to serve the passage: theirs is the worker's end, for [Through];
// end closes ours.
func (p *Passage) Open() (theirs *os.File, end func(), err error) {
	ours, theirs, err := pair()
	if err != nil {
		return nil, nil, err
	}
	go p.serve(ours)
	return theirs, func() { ours.Close() }, nil
}

func pair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "passage")
	if ours, err = unixConn(os.NewFile(uintptr(fds[0]), "passage")); err != nil {
		theirs.Close()
	}
	return ours, theirs, err
}

func unixConn(f *os.File) (*net.UnixConn, error) {
	defer f.Close() // FileConn takes a copy
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, errors.New("passage: not a Unix socket")
	}
	return u, nil
}

// serve opens connections for the worker until the passage is closed.
func (p *Passage) serve(c *net.UnixConn) {
	var buf [1]byte
	for {
		if n, err := c.Read(buf[:]); err != nil || n == 0 {
			return
		}
		f, err := p.handOver()
		if err != nil {
			c.Write([]byte(err.Error()))
			continue
		}
		c.WriteMsgUnix([]byte{0}, unix.UnixRights(int(f.Fd())), nil)
		f.Close()
	}
}

// handOver opens a connection and returns a descriptor for it: its own where it
// is a plain socket; where something has to be done to each byte (TLS, SSH),
// one end of a pair whose other end is copied to and fro.
func (p *Passage) handOver() (*os.File, error) {
	c, err := p.Dial()
	if err != nil {
		return nil, err
	}
	switch s := c.(type) {
	case *net.UnixConn:
		defer s.Close()
		return s.File()
	case *net.TCPConn:
		if p.Copy == nil {
			defer s.Close()
			return s.File()
		}
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		c.Close()
		return nil, os.NewSyscallError("socketpair", err)
	}
	near, err := unixConn(os.NewFile(uintptr(fds[0]), "near"))
	if err != nil {
		c.Close()
		unix.Close(fds[1])
		return nil, err
	}
	hand := p.Copy
	if hand == nil {
		hand = func(to io.Writer, from io.Reader) error { _, err := io.Copy(to, from); return err }
	}
	end := func() { c.Close(); near.Close() } // one end's end is the other's
	go func() { io.Copy(near, c); end() }()
	go func() { hand(c, near); end() }()
	return os.NewFile(uintptr(fds[1]), "far"), nil
}

// dialTimeout bounds the opening of a connection, which may be over SSH.
const dialTimeout = 30 * time.Second

// Through returns the worker's way to open connections, over its end of a
// passage.
func Through(f *os.File) (func() (net.Conn, error), error) {
	c, err := unixConn(f)
	if err != nil {
		return nil, err
	}
	turn := make(chan struct{}, 1) // a request and its answer at a time
	return func() (net.Conn, error) {
		turn <- struct{}{}
		defer func() { <-turn }()
		c.SetDeadline(time.Now().Add(dialTimeout))
		if _, err := c.Write([]byte{0}); err != nil {
			return nil, fmt.Errorf("ask for a connection: %w", err)
		}
		text, rights := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
		n, k, _, _, err := c.ReadMsgUnix(text, rights)
		if err != nil {
			return nil, fmt.Errorf("ask for a connection: %w", err)
		}
		if k == 0 {
			return nil, errors.New(string(text[:n]))
		}
		msgs, err := unix.ParseSocketControlMessage(rights[:k])
		if err != nil || len(msgs) == 0 {
			return nil, fmt.Errorf("ask for a connection: %w", err)
		}
		fds, err := unix.ParseUnixRights(&msgs[0])
		if err != nil || len(fds) == 0 {
			return nil, fmt.Errorf("ask for a connection: %w", err)
		}
		unix.CloseOnExec(fds[0])
		f := os.NewFile(uintptr(fds[0]), "connection")
		defer f.Close() // FileConn takes a copy
		return net.FileConn(f)
	}, nil
}
