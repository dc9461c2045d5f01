package main

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/histogram"
	"lab/bench/probe/line"
)

// network talks to a serve at to=ADDRESS:PORT, and measures six things, each a
// section of about ms milliseconds: how much one stream carries, and four
// together, how long a byte takes there and back, how many connections can be
// made one after the other, how much a stream from the server carries, and how long
// a byte takes in a datagram there and back.
//
// It works in one thread, as the server does; iperf3 did the same before 3.16.
func network(t *talk, o options) error {
	ms, err := o.number("ms", 500)
	if err != nil {
		return err
	}
	c, err := newClient(o)
	if err != nil {
		return err
	}
	c.budget = ms * int64(time.Millisecond)
	runtime.LockOSThread()
	only := strings.Split(o["only"], ",")
	for _, x := range []struct {
		name string
		run  func(*talk, string) error
	}{
		{"stream", func(t *talk, name string) error { return c.streams(t, name, 1) }},
		{"streams", func(t *talk, name string) error { return c.streams(t, name, 4) }},
		{"latency", c.latency},
		{"connect", c.connects},
		{"receive", c.receive},
		{"udp", c.datagrams},
	} {
		if o["only"] != "" && !slices.Contains(only, x.name) {
			continue
		}
		if err := x.run(t, x.name); err != nil {
			return errors.New(x.name + ": " + err.Error())
		}
	}
	return nil
}

type client struct {
	to     unix.SockaddrInet4
	budget int64 // of a section, in nanoseconds
}

// newClient is one of the serve at to=ADDRESS:PORT.
func newClient(o options) (*client, error) {
	to, err := netip.ParseAddrPort(o["to"])
	if err != nil || !to.Addr().Is4() {
		return nil, errors.New("to=" + o["to"] + " isn't an IPv4 address and a port")
	}
	return &client{to: unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}}, nil
}

// open connects, and says what for.
func (c *client) open(want byte) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Connect(fd, &c.to)
	}
	if err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("connect", err)
	}
	if _, err := send(fd, []byte{want}, 0); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("send", err)
	}
	return fd, nil
}

// streams sends for the time on so many connections, in blocks, and then waits
// until the server has read it all. Value: bytes that the server counted, a
// second, from the first write to the server's last word. The beginning, in
// which TCP tries how much it may send, is part of it.
func (c *client) streams(t *talk, name string, count int) error {
	var fds []unix.PollFd
	for range count {
		fd, err := c.open('0' + byte(count))
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLOUT})
	}
	buf := make([]byte, block)
	for i := range buf {
		buf[i] = byte(i)
	}
	return t.section(name, func() ([]line.Pair, error) {
		var sent int64
		began := now()
		for at := began; at-began < c.budget; at = now() {
			if err := poll(fds); err != nil {
				return nil, err
			}
			for _, f := range fds {
				if f.Revents == 0 {
					continue
				}
				n, err := send(int(f.Fd), buf, unix.MSG_DONTWAIT)
				if err != nil && err != unix.EAGAIN {
					return nil, os.NewSyscallError("send", err)
				}
				sent += int64(max(n, 0))
			}
		}
		got, err := c.counted(fds)
		took := now() - began
		if err == nil && got != sent {
			err = errors.New(strconv.FormatInt(sent, 10) + " bytes were sent, and " + strconv.FormatInt(got, 10) + " came")
		}
		return []line.Pair{line.Number("value", float64(got)/float64(took)*1e9), line.Count("bytes", got)}, err
	})
}

// counted ends the streams, and adds up what the server says of each.
func (c *client) counted(fds []unix.PollFd) (got int64, err error) {
	for _, f := range fds {
		if err := unix.Shutdown(int(f.Fd), unix.SHUT_WR); err != nil {
			return 0, os.NewSyscallError("shutdown", err)
		}
	}
	for _, f := range fds {
		var b [8]byte
		n, err := recv(int(f.Fd), b[:], unix.MSG_WAITALL)
		if err != nil || n != len(b) {
			return 0, errors.Join(errors.New("the server told no count"), err)
		}
		got += int64(binary.BigEndian.Uint64(b[:]))
	}
	return got, nil
}

// warmRounds go before what is timed: an idle connection's first bytes meet
// caches that others have used, and a guest that sleeps.
const warmRounds = 50

// latency sends a byte and waits for it to come back, again and again. Value: the
// mean time of a round; all rounds are in the samples.
func (c *client) latency(t *talk, name string) error {
	fd, err := c.open(wantEcho)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	var b [1]byte
	round := func() error {
		if n, err := send(fd, b[:], 0); n != 1 {
			return os.NewSyscallError("send", err)
		}
		if n, err := recv(fd, b[:], 0); n != 1 {
			return errors.Join(errors.New("the byte didn't come back"), err)
		}
		return nil
	}
	return c.rounds(t, name, round, func() []line.Pair { return nil })
}

// rounds goes there and back for the time, after some rounds to warm up. Value: the mean
// time of a round; more is what else is told of the section.
func (c *client) rounds(t *talk, name string, round func() error, more func() []line.Pair) error {
	for range warmRounds {
		if err := round(); err != nil {
			return err
		}
	}
	h := &histogram.Histogram{}
	err := t.section(name, func() ([]line.Pair, error) {
		began := now()
		at := began
		for at-began < c.budget {
			if err := round(); err != nil {
				return nil, err
			}
			after := now()
			h.Add(after - at)
			at = after
		}
		return append([]line.Pair{line.Number("value", float64(at-began)/1e9/float64(h.N())), line.Count("bytes", 2*h.N())}, more()...), nil
	})
	if err != nil {
		return err
	}
	return t.samples(name, h)
}

// connects makes connections one after the other: each is opened, carries a
// byte there and one back, and is closed. Value: connections a second.
//
// They are closed by a reset. A connection that ends as usual keeps its port for
// a minute, and some ten thousand such would make each trial slower than the
// one before it.
func (c *client) connects(t *talk, name string) error {
	return t.section(name, func() ([]line.Pair, error) {
		var count int64
		began := now()
		at := began
		for ; at-began < c.budget; at = now() {
			fd, err := c.open(wantShort)
			if err != nil {
				return nil, err
			}
			var b [1]byte
			if n, err := recv(fd, b[:], 0); n != 1 {
				unix.Close(fd)
				return nil, errors.Join(errors.New("a connection wasn't answered"), err)
			}
			reset := unix.Linger{Onoff: 1}
			if err := errors.Join(unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &reset), unix.Close(fd)); err != nil {
				return nil, err
			}
			count++
		}
		return []line.Pair{line.Number("value", float64(count)/float64(at-began)*1e9), line.Count("bytes", 2*count)}, nil
	})
}

// receive has the server send for the time on one connection. Value: bytes that came, a
// second, from the request to the last read.
func (c *client) receive(t *talk, name string) error {
	fd, err := c.open(wantStream)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	buf := make([]byte, block)
	return t.section(name, func() ([]line.Pair, error) {
		var got int64
		began := now()
		// The server waits for this, so that nothing is under way before.
		if n, err := send(fd, buf[:1], 0); n != 1 {
			return nil, os.NewSyscallError("send", err)
		}
		at := began
		for at-began < c.budget {
			n, err := recv(fd, buf, 0)
			if err != nil || n == 0 {
				return nil, errors.Join(errors.New("the server stopped sending"), err)
			}
			got += int64(n)
			at = now()
		}
		return []line.Pair{line.Number("value", float64(got)/float64(at-began)*1e9), line.Count("bytes", got)}, nil
	})
}

// patient is how long a datagram is waited for before it counts as lost.
const patient = int64(time.Second)

// datagrams sends a byte in a datagram and waits for another to come back, again and again,
// as latency does over TCP; one that is lost is sent again, and its round is that much
// longer. Value: the mean time of a round.
func (c *client) datagrams(t *talk, name string) error {
	control, err := c.open(wantDatagrams)
	if err != nil {
		return err
	}
	defer unix.Close(control)
	var port [2]byte
	if n, err := recv(control, port[:], unix.MSG_WAITALL); n != len(port) {
		return errors.Join(errors.New("the server has no port for datagrams"), err)
	}
	to := c.to
	to.Port = int(binary.BigEndian.Uint16(port[:]))
	fd, err := datagramSocket(patient)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &to); err != nil {
		return os.NewSyscallError("connect", err)
	}
	var b, back [1]byte
	lost := int64(0)
	round := func() error {
		b[0]++
		for tries := 0; tries < 5; tries++ {
			if n, err := send(fd, b[:], 0); n != 1 {
				return os.NewSyscallError("send", err)
			}
			for sent := now(); ; {
				n, err := once(unix.SYS_RECVFROM, fd, back[:], 0)
				if (err == unix.EAGAIN || err == unix.EINTR) && now()-sent < patient {
					continue
				}
				if err == unix.EAGAIN || err == unix.EINTR {
					break
				}
				if n != 1 {
					return errors.Join(errors.New("the datagram didn't come back"), err)
				}
				if back == b { // and not one that was late
					return nil
				}
			}
			lost++
		}
		return errors.New("five datagrams in a row were lost")
	}
	return c.rounds(t, name, round, func() []line.Pair { return []line.Pair{line.Count("lost", lost)} })
}

// datagramSocket is one whose reads wait so many nanoseconds at the most.
func datagramSocket(patient int64) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	wait := unix.NsecToTimeval(patient)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("setsockopt", err)
	}
	return fd, nil
}
