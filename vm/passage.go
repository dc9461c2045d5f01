package vm

import (
	"bufio"
	"encoding/binary"
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
// opens the connections to a foreign libvirt and hands their descriptors over:
// over a pair of sockets, the worker's requests one way, each a byte, and the
// answers the other, each a descriptor or the words of an error.

// Passage makes the pair: ours for [Serve], theirs for the worker.
func Passage() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "passage")
	if ours, err = passage(os.NewFile(uintptr(fds[0]), "passage")); err != nil {
		theirs.Close()
	}
	return ours, theirs, err
}

func passage(f *os.File) (*net.UnixConn, error) {
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

// Serve opens connections for the worker until the passage is closed.
func Serve(c *net.UnixConn, dial func() (net.Conn, error)) {
	var buf [1]byte
	for {
		if n, err := c.Read(buf[:]); err != nil || n == 0 {
			return
		}
		f, err := handOver(dial)
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
func handOver(dial func() (net.Conn, error)) (*os.File, error) {
	c, err := dial()
	if err != nil {
		return nil, err
	}
	if u, ok := c.(*net.UnixConn); ok {
		defer u.Close()
		return u.File()
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		c.Close()
		return nil, os.NewSyscallError("socketpair", err)
	}
	near, err := passage(os.NewFile(uintptr(fds[0]), "near"))
	if err != nil {
		c.Close()
		unix.Close(fds[1])
		return nil, err
	}
	end := func() { c.Close(); near.Close() } // one end's end is the other's
	go func() { io.Copy(near, c); end() }()
	go func() { copyPackets(c, near); end() }()
	return os.NewFile(uintptr(fds[1]), "far"), nil
}

// maxPacket bounds a packet of libvirt's (virnetprotocol.x: 32 MiB, its length
// and some room).
const maxPacket = 32<<20 + 4<<10

// copyPackets hands packets on, each in a write of its own. libvirt's daemon
// reads a packet and then waits for its socket: what follows in the same TLS
// record it would find with the next packet, which may never come.
func copyPackets(to io.Writer, from io.Reader) error {
	r := bufio.NewReaderSize(from, 64<<10)
	for {
		head, err := r.Peek(4)
		if err != nil {
			return err
		}
		n := binary.BigEndian.Uint32(head)
		if n < 4 || n > maxPacket {
			return fmt.Errorf("libvirt: a packet of %d bytes", n)
		}
		p := make([]byte, n)
		if _, err := io.ReadFull(r, p); err != nil {
			return err
		}
		if _, err := to.Write(p); err != nil {
			return err
		}
	}
}

// dialTimeout bounds the opening of a connection, which may be over SSH.
const dialTimeout = 30 * time.Second

// Through returns the worker's way to open connections, over its end of the
// passage.
func Through(f *os.File) (func() (net.Conn, error), error) {
	c, err := passage(f)
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
		return passage(os.NewFile(uintptr(fds[0]), "libvirt"))
	}, nil
}
