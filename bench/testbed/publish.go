package testbed

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// An instance's address is on the testbed's bridge, where nobody outside of the
// testbed can reach it. To publish a port is to listen outside, in the network
// namespace of this process, and to pass on what comes. The engines have the
// kernel do that, by rules in the machine's own firewall; the lab never touches
// those. Bytes take a way through this process instead, as they do with
// docker's userland proxy. Where the process lives in the testbed's own network
// namespace the kernel can be asked: package nat.

// dialTime is how long an instance may take to accept.
const dialTime = 10 * time.Second

// udpIdle is how long a client that is silent keeps its way back.
const udpIdle = 90 * time.Second

// A forwarder is one published port.
type forwarder struct {
	n      *Network
	to     netip.AddrPort
	listen io.Closer

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]bool
	all    sync.WaitGroup
}

// Publish listens to a port of the calling thread's network namespace, and
// passes on what comes to the instance at an address of the bridge. The caller
// closes what it returns, which ends all connections.
func (n *Network) Publish(p Port, to netip.Addr) (io.Closer, error) {
	l, err := Reserve(p)
	if err != nil {
		return nil, err
	}
	f := &forwarder{n: n, to: netip.AddrPortFrom(to, p.Port), listen: l, open: map[net.Conn]bool{}}
	f.all.Go(func() {
		switch l := l.(type) {
		case *net.UDPConn:
			f.datagrams(l)
		case *net.TCPListener:
			f.accept(l)
		}
	})
	return f, nil
}

// Reserve takes the port outside, so that nobody else can have it: a
// *net.TCPListener or a *net.UDPConn.
func Reserve(p Port) (l io.Closer, err error) {
	if p.Proto == "udp" {
		l, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(p.Outside()))
	} else {
		l, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(p.Outside()))
	}
	if err != nil {
		return nil, listenError(p, err)
	}
	return l, nil
}

// Close ends the listener and all connections, and returns when none is left.
func (f *forwarder) Close() error {
	f.mu.Lock()
	f.closed = true
	err := f.listen.Close()
	for c := range f.open {
		c.Close()
	}
	f.mu.Unlock()
	f.all.Wait()
	return err
}

// add remembers a connection, so that Close ends it; false where it is too late.
func (f *forwarder) add(c net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		c.Close()
		return false
	}
	f.open[c] = true
	return true
}

func (f *forwarder) drop(c net.Conn) {
	c.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, c)
}

// accept serves TCP until the listener is closed.
func (f *forwarder) accept(l *net.TCPListener) {
	for {
		c, err := l.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no descriptor is left, say: others will be closed
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if f.add(c) {
			f.all.Go(func() { f.connection(c) })
		}
	}
}

// connection passes bytes on in both directions; the end of one is passed on as
// such, and the other goes on.
func (f *forwarder) connection(client *net.TCPConn) {
	defer f.drop(client)
	c, err := f.n.dial(unix.SOCK_STREAM, f.to)
	if err != nil {
		client.SetLinger(0) // refused there, and so it is here
		return
	}
	if !f.add(c) {
		return
	}
	defer f.drop(c)
	server := c.(*net.TCPConn)
	var back sync.WaitGroup
	back.Go(func() { pass(client, server) })
	pass(server, client)
	back.Wait()
}

func pass(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		// Broken: of no use to either side.
		to.Close()
		from.Close()
		return
	}
	to.CloseWrite()
}

// datagrams serves UDP until the listener is closed: each client has a socket of
// its own towards the instance, for the way back.
func (f *forwarder) datagrams(l *net.UDPConn) {
	clients := map[netip.AddrPort]net.Conn{}
	var mu sync.Mutex
	buf := make([]byte, 1<<16)
	for {
		n, from, err := l.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error that an answer brought
		}
		mu.Lock()
		c := clients[from]
		mu.Unlock()
		if c == nil {
			if c, err = f.n.dial(unix.SOCK_DGRAM, f.to); err != nil || !f.add(c) {
				continue
			}
			mu.Lock()
			clients[from] = c
			mu.Unlock()
			f.all.Go(func() {
				f.answers(l, from, c)
				mu.Lock()
				delete(clients, from)
				mu.Unlock()
			})
		}
		c.Write(buf[:n]) // lost datagrams are lost
		c.SetReadDeadline(time.Now().Add(udpIdle))
	}
}

func (f *forwarder) answers(l *net.UDPConn, to netip.AddrPort, c net.Conn) {
	defer f.drop(c)
	buf := make([]byte, 1<<16)
	for {
		n, err := c.Read(buf)
		if errors.Is(err, unix.ECONNREFUSED) {
			continue // nobody listens there yet
		}
		if err != nil {
			return
		}
		c.SetReadDeadline(time.Now().Add(udpIdle))
		l.WriteToUDPAddrPort(buf[:n], to)
	}
}

// dial connects to an instance. A socket is of the network namespace of the
// thread that makes it, and of that for good.
func (n *Network) dial(kind int, to netip.AddrPort) (c net.Conn, err error) {
	connect := func() error {
		fd, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		f := os.NewFile(uintptr(fd), "socket")
		defer f.Close()
		late := unix.NsecToTimeval(dialTime.Nanoseconds())
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &late); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
			return os.NewSyscallError("connect", err)
		}
		c, err = net.FileConn(f)
		return err
	}
	if n.ns == nil {
		return c, connect()
	}
	return c, elsewhere(func() error {
		if err := unix.Setns(int(n.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the testbed's network: %w", err)
		}
		return connect()
	})
}

// elsewhere runs f on a thread that ends with it, so that f may change the
// thread's namespaces.
func elsewhere(f func() error) error {
	err := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked
		err <- f()
	}()
	return <-err
}
