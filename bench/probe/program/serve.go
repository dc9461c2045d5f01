package main

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench/probe/line"
)

// The first byte on a connection says what it is for. A digit opens one of so
// many streams, which come one after the other and are read together.
const (
	wantEcho      = 'e' // each byte comes back, until the client closes
	wantShort     = 'c' // one byte comes back, and the server closes
	wantStream    = 'r' // after one more byte the server sends, until the client closes
	wantDatagrams = 'u' // the server tells a port, and each datagram there comes back, until the client closes
)

// block is how much is written and read at a time: iperf3's default.
const block = 128 << 10

// serve is net's other end. It listens on a port that the kernel chooses, tells
// it, and answers one client at a time, in one thread with blocking calls: what
// is timed is the network, and as little as may be of a program's own making.
// It ends when the host says so.
func serve(t *talk, _ options) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{}), unix.Listen(fd, 128)); err != nil {
		return os.NewSyscallError("listen", err)
	}
	addr, err := unix.Getsockname(fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	if err := t.fact("listen", line.Count("port", int64(addr.(*unix.SockaddrInet4).Port))); err != nil {
		return err
	}
	s := &server{listener: fd, ended: make(chan error, 1)}
	go func() { s.ended <- s.run() }()
	// The section's wait for the host's answer is the time in which clients
	// are served.
	return t.section("serve", func() ([]line.Pair, error) {
		// It makes the waiting accept return EINVAL.
		if err := unix.Shutdown(fd, unix.SHUT_RDWR); err != nil {
			return nil, os.NewSyscallError("shutdown", err)
		}
		err := <-s.ended
		return []line.Pair{line.Count("connections", s.connections), line.Count("bytes", s.bytes)}, err
	})
}

type server struct {
	listener    int
	ended       chan error
	connections int64 // that were answered
	bytes       int64 // read from streams
}

func (s *server) run() error {
	runtime.LockOSThread()
	for {
		fd, err := s.accept()
		if err == unix.EINVAL {
			return nil
		}
		if err != nil {
			return os.NewSyscallError("accept", err)
		}
		if err := s.answer(fd); err != nil {
			return err
		}
	}
}

func (s *server) accept() (int, error) {
	for {
		fd, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(s.listener), 0, 0, unix.SOCK_CLOEXEC, 0, 0)
		switch errno {
		case 0:
			return int(fd), nil
		case unix.EINTR, unix.ECONNABORTED: // of a client that is gone
			continue
		}
		return -1, errno
	}
}

// answer serves a connection to its end. What a client does to its own
// connections is no error here: it will say so itself.
func (s *server) answer(fd int) error {
	s.connections++
	var b [1]byte
	if n, _ := recv(fd, b[:], 0); n != 1 {
		return unix.Close(fd)
	}
	switch want := b[0]; {
	case want == wantShort:
		send(fd, b[:], 0)
	case want == wantEcho:
		// Nothing that is written may wait for more.
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		for {
			if n, _ := recv(fd, b[:], 0); n != 1 {
				break
			}
			if n, _ := send(fd, b[:], 0); n != 1 {
				break
			}
		}
	case want == wantStream:
		buf := make([]byte, block)
		if n, _ := recv(fd, b[:], 0); n == 1 {
			for err := error(nil); err == nil; { // the client's reset ends it
				_, err = send(fd, buf, 0)
			}
		}
	case want == wantDatagrams:
		return errors.Join(datagrams(fd), unix.Close(fd))
	case '1' <= want && want <= '9':
		return s.streams(fd, int(want-'0'))
	}
	return unix.Close(fd)
}

// pause is how long no datagram has to come before the server asks whether the client is
// gone, in nanoseconds.
const pause = 20_000_000

// datagrams sends datagrams back to whoever sent the first, until the client closes the
// connection over which it asked for that.
func datagrams(control int) error {
	fd, err := datagramSocket(pause)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	addr, err := unix.Getsockname(fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	send(control, binary.BigEndian.AppendUint16(nil, uint16(addr.(*unix.SockaddrInet4).Port)), 0)
	var b [1]byte
	var from unix.Sockaddr
	for {
		var n int
		var err error
		if from == nil {
			n, from, err = unix.Recvfrom(fd, b[:], 0)
			if err == nil && from != nil {
				err = unix.Connect(fd, from) // from here on it answers that one alone
			}
		} else {
			n, err = once(unix.SYS_RECVFROM, fd, b[:], 0)
		}
		switch {
		case err == nil && n == 1:
			send(fd, b[:], 0)
		case err == unix.EAGAIN || err == unix.EINTR || err == unix.ECONNREFUSED: // a pause, or the client's end
			if n, err := recv(control, b[:], unix.MSG_DONTWAIT); n == 0 || err != unix.EAGAIN {
				return nil
			}
		case err != nil:
			return os.NewSyscallError("recvfrom", err)
		}
	}
}

// streams reads so many connections, the first of which is there, until each
// ends, and tells on each how many bytes it brought: what the sender's kernel
// still holds isn't there yet, whatever the sender believes.
func (s *server) streams(first, count int) error {
	fds := []unix.PollFd{{Fd: int32(first), Events: unix.POLLIN}}
	for len(fds) < count {
		fd, err := s.accept()
		if err != nil {
			return os.NewSyscallError("accept", err)
		}
		s.connections++
		var b [1]byte
		recv(fd, b[:], 0)
		fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	buf := make([]byte, block)
	got := make([]int64, count)
	for open := count; open > 0; {
		if err := poll(fds); err != nil {
			return err
		}
		for i := range fds {
			if fds[i].Revents == 0 {
				continue
			}
			n, err := recv(int(fds[i].Fd), buf, unix.MSG_DONTWAIT)
			switch {
			case n > 0:
				got[i] += int64(n)
				continue
			case err == unix.EAGAIN:
				continue
			case err == nil: // the sender has shut its half
				s.bytes += got[i]
				send(int(fds[i].Fd), binary.BigEndian.AppendUint64(nil, uint64(got[i])), 0)
			}
			unix.Close(int(fds[i].Fd))
			fds[i].Fd = -1 // poll(2) leaves it out
			open--
		}
	}
	return nil
}

// recv, send and poll are the raw system calls: Go's own tell its scheduler of
// each, which hands the thread's work to another.

func recv(fd int, b []byte, flags int) (int, error) { return transfer(unix.SYS_RECVFROM, fd, b, flags) }

func send(fd int, b []byte, flags int) (int, error) {
	return transfer(unix.SYS_SENDTO, fd, b, flags|unix.MSG_NOSIGNAL)
}

func transfer(call uintptr, fd int, b []byte, flags int) (int, error) {
	for {
		if n, err := once(call, fd, b, flags); err != unix.EINTR {
			return n, err
		}
	}
}

// once is a call that a signal ends (EINTR). Go's scheduler sends one every 10 ms to a
// thread that it takes for a busy one: whoever waits for no longer than SO_RCVTIMEO says
// has to look at the time then, as a call that is made again waits from the beginning.
func once(call uintptr, fd int, b []byte, flags int) (int, error) {
	n, _, errno := unix.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(flags), 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

func poll(fds []unix.PollFd) error {
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])), uintptr(len(fds)), 0, 0, 0, 0)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return os.NewSyscallError("ppoll", errno)
	}
}
