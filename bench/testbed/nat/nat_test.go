package nat_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"lab/bench/benchtest"
	"lab/bench/launch"
	"lab/bench/testbed"
	"lab/bench/testbed/nat"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

// tables are the names of those that are there.
func tables(t *testing.T) (out []string) {
	t.Helper()
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.ListTables()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		out = append(out, x.Name)
	}
	return out
}

// A port is led to an address of the bridge, from this namespace's loopback and
// from the bridge's own address; and nothing is left of it.
func TestPublish(t *testing.T) {
	tb := benchtest.Testbed(t)
	n, err := tb.Network()
	if err != nil {
		t.Fatal(err)
	}
	addr, err := n.Lease()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Release(addr)
	defer n.Disconnect(addr)
	const inside = 7
	var tcp net.Listener
	var udp net.PacketConn
	err = launch.Do(func() error { // an instance's end
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		if err := n.Attach("eth0", addr); err != nil {
			return err
		}
		at := netip.AddrPortFrom(addr.Addr(), inside).String()
		if tcp, err = net.Listen("tcp", at); err != nil {
			return err
		}
		udp, err = net.ListenPacket("udp", at)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	defer udp.Close()
	go func() {
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			c.Write([]byte("tcp"))
			c.Close()
		}
	}()
	go func() {
		b := make([]byte, 100)
		for {
			_, from, err := udp.ReadFrom(b)
			if err != nil {
				return
			}
			udp.WriteTo([]byte("udp"), from)
		}
	}()
	before := tables(t)
	for _, p := range []testbed.Port{
		{Proto: "tcp", Host: 18081, Port: inside},
		{Proto: "udp", Host: 18081, Port: inside},
		{Proto: "tcp", IP: n.Gateway, Host: 18082, Port: inside},
		{Proto: "tcp", IP: netip.IPv4Unspecified(), Host: 18083, Port: inside},
	} {
		r, err := nat.Publish(p, addr.Addr())
		if err != nil {
			t.Errorf("%v: %v", p, err)
			continue
		}
		if _, err := nat.Publish(p, addr.Addr()); err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("%v twice: %v", p, err)
		}
		out := p.Outside()
		if p.IP.IsUnspecified() && p.IP.IsValid() {
			out = netip.AddrPortFrom(n.Gateway, p.Host)
		}
		c, err := net.Dial(p.Proto, out.String())
		if err != nil {
			t.Errorf("%v: %v", p, err)
			continue
		}
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if p.Proto == "udp" {
			c.Write([]byte("x"))
		}
		b := make([]byte, 100)
		if k, err := c.Read(b); err != nil || string(b[:k]) != p.Proto {
			t.Errorf("%v: %q, %v", p, b[:k], err)
		}
		c.Close()
		if err := r.Close(); err != nil {
			t.Errorf("%v: close: %v", p, err)
		}
	}
	if after := tables(t); len(after) != len(before) {
		t.Errorf("tables %q, before %q", after, before)
	}
	if _, err := nat.Publish(testbed.Port{Proto: "tcp", IP: netip.IPv6Loopback(), Host: 18081, Port: inside}, addr.Addr()); err == nil {
		t.Error("an IPv6 address")
	}
}
