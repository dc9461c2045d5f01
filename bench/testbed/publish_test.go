package testbed

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParsePort(t *testing.T) {
	for _, x := range []struct{ word, want, err string }{
		{"8080:80", "127.0.0.1:8080:80/tcp", ""},
		{"8080:80/udp", "127.0.0.1:8080:80/udp", ""},
		{"0.0.0.0:1:65535/tcp", "0.0.0.0:1:65535/tcp", ""},
		{"[::1]:8080:80", "[::1]:8080:80/tcp", ""},
		{"80", "", "not of the form"},
		{"", "", "not of the form"},
		{"0:80", "", "1 to 65535"},
		{"80:0", "", "1 to 65535"},
		{"65536:80", "", "1 to 65535"},
		{"-1:80", "", "1 to 65535"},
		{"8000-8010:80", "", "1 to 65535"},
		{":80", "", "1 to 65535"},
		{"80:", "", "1 to 65535"},
		{"host:80:80", "", "no address"},
		{"80:80/sctp", "", "neither tcp nor udp"},
		{"80:80/", "", "neither tcp nor udp"},
	} {
		p, err := ParsePort(x.word)
		switch {
		case x.err != "" && (err == nil || !strings.Contains(err.Error(), x.err)):
			t.Errorf("%q: %v, %v, want %q", x.word, p, err, x.err)
		case x.err == "" && (err != nil || p.String() != x.want):
			t.Errorf("%q: %v, %v, want %s", x.word, p, err, x.want)
		}
	}
	p, q, u := Port{Proto: "tcp", Host: 1, Port: 2}, Port{Proto: "tcp", Host: 1, Port: 3}, Port{Proto: "udp", Host: 1, Port: 2}
	if err := CheckPorts([]Port{p, u}); err != nil {
		t.Error(err)
	}
	if err := CheckPorts([]Port{p, u, q}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Error(err)
	}
}

// bridged is a network whose namespace isn't this process's own, and a port
// outside that is free.
func bridged(t *testing.T) *Network {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP: network namespaces need root; fix: sudo make test")
	}
	n, err := newNetwork(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.close() })
	return n
}

func (n *Network) inside(t *testing.T, f func() error) {
	t.Helper()
	err := elsewhere(func() error {
		if err := unix.Setns(int(n.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return f()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// loop is an address of this machine that nothing else listens to.
var loop = netip.MustParseAddr("127.77.3.2")

func TestPublishTCP(t *testing.T) {
	n := bridged(t)
	p := Port{Proto: "tcp", IP: loop, Host: 18080, Port: 7}
	f, err := n.Publish(p, n.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := n.Publish(p, n.Gateway); err == nil || !strings.Contains(err.Error(), "address already in use; fix: ") {
		t.Errorf("a port that is taken: %v", err)
	}
	dial := func() *net.TCPConn {
		c, err := net.Dial("tcp", p.Outside().String())
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(10 * time.Second))
		return c.(*net.TCPConn)
	}
	// Nobody listens inside: refused, at once or a moment later.
	if x, err := net.Dial("tcp", p.Outside().String()); err == nil {
		x.SetDeadline(time.Now().Add(10 * time.Second))
		if b, err := io.ReadAll(x); err == nil || len(b) > 0 || os.IsTimeout(err) {
			t.Errorf("nobody is there: %q, %v, want a reset", b, err)
		}
		x.Close()
	} else if !errors.Is(err, unix.ECONNRESET) {
		t.Error(err)
	}
	var l net.Listener
	n.inside(t, func() (err error) {
		l, err = net.Listen("tcp", netip.AddrPortFrom(n.Gateway, p.Port).String())
		return err
	})
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // answers when it was told all
				b, _ := io.ReadAll(c)
				c.Write(append([]byte("you said "), b...))
				c.Close()
			}()
		}
	}()
	c := dial()
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	go func() {
		c.Write(big)
		c.CloseWrite()
	}()
	if b, err := io.ReadAll(c); err != nil || string(b) != "you said "+string(big) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	c.Close()
	// Close ends what is open, and gives the port back.
	c = dial()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if b, err := io.ReadAll(c); len(b) > 0 || os.IsTimeout(err) {
		t.Errorf("after Close: %q, %v", b, err)
	}
	if f, err = n.Publish(p, n.Gateway); err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestPublishUDP(t *testing.T) {
	n := bridged(t)
	p := Port{Proto: "udp", IP: loop, Host: 18080, Port: 7}
	f, err := n.Publish(p, n.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var l net.PacketConn
	n.inside(t, func() (err error) {
		l, err = net.ListenPacket("udp", netip.AddrPortFrom(n.Gateway, p.Port).String())
		return err
	})
	defer l.Close()
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := l.ReadFrom(b)
			if err != nil {
				return
			}
			l.WriteTo(append([]byte("re "), b[:n]...), from)
		}
	}()
	for _, who := range []string{"a", "b"} { // each gets its own answer
		c, err := net.Dial("udp", p.Outside().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		for range 3 {
			if _, err := c.Write([]byte(who)); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 100)
			if n, err := c.Read(b); err != nil || string(b[:n]) != "re "+who {
				t.Errorf("%q, %v", b[:n], err)
			}
		}
	}
}
