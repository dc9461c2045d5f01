package vm

import (
	"errors"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"lab/bench"
	"lab/bench/image"
	"lab/vm/client"
	"lab/vm/daemon"
)

// students is a network of the tests' own libvirt, in 192.0.2.0/24, which is
// set aside for examples (RFC 5737). It has no DHCP server, so that no dnsmasq is
// needed, and no port that leads out of the testbed.
func students() libvirtxml.Network {
	n := libvirtxml.Network{Name: "students",
		Bridge: &libvirtxml.NetworkBridge{Name: "students0", STP: "off"},
		DNS:    &libvirtxml.NetworkDNS{Enable: "no"},
		IPs:    []libvirtxml.NetworkIP{{Address: "192.0.2.1", Prefix: 24}}}
	if _, err := exec.LookPath("iptables"); err != nil {
		// An isolated network is one by rules of the firewall. Libvirt makes
		// none for one that is open.
		n.Forward = &libvirtxml.NetworkForward{Mode: "open"}
	}
	return n
}

// Guests are on a network that a foreign libvirt has, and are told which there are.
func TestFarNetwork(t *testing.T) {
	// A folder of the network driver's, which a package of the distribution's makes.
	d, c := abroad(t, func(m *daemon.Mounts) { m.Files = map[string]string{"/var/lib/libvirt/dnsmasq/README": ""} })
	call := func(what string, f func(l *libvirt.Libvirt) error) {
		t.Helper()
		if err := c.Call(within(t, time.Minute), what, client.CallTimeout, f); err != nil {
			t.Fatal(err)
		}
	}
	text := func(n libvirtxml.Network) string {
		s, err := n.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	target, err := client.ParseTarget("qemu+unix:///system?socket=" + d.Socket)
	if err != nil {
		t.Fatal(err)
	}
	e := openFar(t, target.Name, target.Dial)
	refused := func(network, say string) {
		t.Helper()
		s := spec(t, e, image.ReadyPath, "token")
		s.Settings["net"], s.Settings["network"] = "network", network
		if err := e.Check(within(t, time.Minute), s); !errors.Is(err, bench.ErrUnavailable) || !strings.Contains(err.Error(), say) {
			t.Errorf("network=%s: %v, want one that says %q", network, err, say)
		}
	}
	refused("", "no network default, and no other")

	call("create network", func(l *libvirt.Libvirt) error {
		_, err := l.NetworkCreateXML(text(students()))
		return err
	})
	t.Cleanup(func() {
		call("end network", func(l *libvirt.Libvirt) error {
			n, err := l.NetworkLookupByName("students")
			if err == nil {
				err = l.NetworkDestroy(n)
			}
			return err
		})
		if _, err := net.InterfaceByName("students0"); err == nil {
			t.Error("students0 is left")
		}
	})
	asleep := students()
	asleep.Name, asleep.Bridge.Name = "asleep", "asleep0"
	call("define network", func(l *libvirt.Libvirt) error {
		_, err := l.NetworkDefineXML(text(asleep))
		return err
	})
	refused("", "no network default; it has: asleep (inactive), students")
	refused("asleep", "isn't active; it has: asleep (inactive), students")

	set := []string{"net", "network", "network", "students"}
	i := server(t, e, set...)
	if a, err := netip.ParseAddr(i.Addr()); err != nil || !netip.MustParsePrefix("192.0.2.2/24").Contains(a) || i.Addr() == "192.0.2.1" {
		t.Fatalf("address %q, %v", i.Addr(), err)
	}
	// The test and its libvirt share a network namespace.
	if err := hears(i.Addr()); err != nil {
		t.Error(err)
	}
	got := say(t, e, "for n in 1 2 3 4 5; do nc -w 5 "+i.Addr()+" 80 </dev/null && break; done; ip -4 addr show eth0 | grep -o 'inet [0-9./]*'", set...)
	greeting, own, _ := strings.Cut(got, "\n")
	if greeting != "hello" || !strings.HasPrefix(own, "inet 192.0.2.") || !strings.HasSuffix(own, "/24\n") || strings.Contains(own, " "+i.Addr()+"/") {
		t.Errorf("another guest on it, beside %s, says %q", i.Addr(), got)
	}
	if r := e.Resolved(i.spec); r["network"] != "students" || r["vhost"] != "no" {
		t.Errorf("resolved %v", r)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	if next, _, err := e.far.Lease(within(t, time.Minute), "students"); err != nil || next.Addr().String() != i.Addr() {
		t.Errorf("after %s was given back comes %v, %v", i.Addr(), next, err)
	}
}

// Without --connect there are no networks, and their name alone asks for none.
func TestCheckNetwork(t *testing.T) {
	for _, c := range []struct{ net, network, say string }{
		{"network", "", "--connect URI"},
		{"network", "students", "net=bridge"},
		{"none", "students", "net=network,network=students"},
		{"user", "", ""},
	} {
		s := bench.Spec{Settings: map[string]string{"net": c.net, "network": c.network}}
		err := (&Env{}).checkNetwork(t.Context(), s)
		switch {
		case c.say == "" && err == nil:
		case c.say == "" || !errors.Is(err, bench.ErrNotApplicable) || !strings.Contains(err.Error(), c.say):
			t.Errorf("%v: %v", c, err)
		}
	}
}
