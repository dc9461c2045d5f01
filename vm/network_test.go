package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/digitalocean/go-libvirt"
	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirtxml"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/testbed"
	"lab/vm/asked"
	"lab/vm/client"
	"lab/vm/daemon"
	"lab/vm/kernel"
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

// server is a guest on the bridge that says hello to whoever connects.
func server(t *testing.T, e *Env, set ...string) *instance {
	t.Helper()
	token := bench.Token()
	s := spec(t, e, "/bin/sh", "-c", "(while :; do echo hello | nc -l -p 80; done) & printf %s "+token+"; wait")
	s.Init, s.Command.Env = true, []string{"PATH=/bin"}
	s.Settings["net"] = "bridge"
	for n := 0; n < len(set); n += 2 {
		s.Settings[set[n]] = set[n+1]
	}
	if err := e.Check(within(t, time.Minute), s); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	i := start(t, e, s)
	if _, err := clock.AwaitToken(i.Ready(), []byte(token), 30*time.Second); err != nil {
		t.Fatal(err)
	}
	return i
}

// hears connects to an address until somebody says hello.
func hears(addr string) error {
	var last error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		c, err := net.DialTimeout("tcp4", addr+":80", 5*time.Second)
		if err != nil { // between two of nc's there is nobody
			last = err
			continue
		}
		c.SetDeadline(time.Now().Add(5 * time.Second))
		text, err := io.ReadAll(c)
		c.Close()
		if strings.HasPrefix(string(text), "hello") {
			return nil
		}
		last = fmt.Errorf("it says %q, %v", text, err)
	}
	return last
}

// Guests of a run, its containers and its host reach one another over the bridge.
func TestBridge(t *testing.T) {
	e := open(t)
	i := server(t, e)
	n, err := e.tb.Network()
	if err != nil {
		t.Fatal(err)
	}
	if a := i.Addr(); !testbed.Subnet.Contains(i.addr.Addr()) || a == n.Gateway.String() {
		t.Fatalf("address %q", a)
	}
	t.Run("host", func(t *testing.T) {
		if err := hears(i.Addr()); err != nil {
			t.Error(err)
		}
	})
	t.Run("guest", func(t *testing.T) {
		got := say(t, e, "for n in 1 2 3 4 5; do nc -w 5 "+i.Addr()+" 80 </dev/null && break; done; ip -4 addr show eth0 | grep -c 'inet 198.1[89].*/15 '; ip route | grep -c '^default via "+n.Gateway.String()+"'", "net", "bridge", "root", "ext4")
		if !strings.HasPrefix(got, "hello") || !strings.HasSuffix(got, "\n1\n1\n") {
			t.Errorf("the other guest says %q", got)
		}
	})
	t.Run("container", func(t *testing.T) {
		// What a container's network is: a namespace with one end of a cable.
		if err := inNamespace(n, func() error { return hears(i.Addr()) }); err != nil {
			t.Error(err)
		}
	})
	in, err := i.Inspect()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := net.InterfaceByName(in["tap"]); err != nil {
		t.Errorf("tap %q: %v", in["tap"], err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	if _, err := net.InterfaceByName(in["tap"]); err == nil {
		t.Errorf("%s is left", in["tap"])
	}
}

// inNamespace calls f on a thread in a new network namespace, a port of the bridge.
func inNamespace(n *testbed.Network, f func() error) error {
	a, err := n.Lease()
	if err != nil {
		return err
	}
	defer n.Release(a)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return err
			}
			if err := n.Attach("eth0", a); err != nil {
				return err
			}
			return f()
		}()
	}()
	return errors.Join(<-done, n.Disconnect(a))
}

// A workload that is PID 1 finds its network configured.
func TestBridgeOfPID1(t *testing.T) {
	e := open(t)
	s := spec(t, e, "/bin/nc", "-l", "-p", "80", "-e", "/bin/echo", "hello")
	s.Settings["net"] = "bridge"
	i := start(t, e, s)
	if err := hears(i.Addr()); err != nil {
		t.Error(err)
	}
}

// In user mode a guest reaches the host through QEMU, which connects for it.
func TestUserMode(t *testing.T) {
	e := open(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "hello\n")
			c.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	got := say(t, e, "nc -w 10 "+userNet.Gateway.String()+" "+port+" </dev/null; ip link show eth0 | grep -c LOWER_UP", "net", "user")
	if got != "hello\n1\n" {
		t.Errorf("the guest says %q", got)
	}
}

// An emulated card needs the full kernel, and works with it; so does the other
// side of that comparison.
func TestEmulatedCard(t *testing.T) {
	e := open(t)
	for _, c := range []struct{ nic, machine string }{
		{"e1000", "q35"}, {"e1000", "pc"}, {"virtio", "q35"},
	} {
		t.Run(c.nic+" "+c.machine, func(t *testing.T) {
			i := server(t, e, "nic", c.nic, "machine", c.machine, "kernel", "full")
			if err := hears(i.Addr()); err != nil {
				t.Error(err)
			}
			if got := i.env.Resolved(i.spec)["kernel-version"]; strings.Contains(got, "cloud") {
				t.Errorf("kernel %s", got)
			}
		})
	}
}

func TestCheckCard(t *testing.T) {
	e := &Env{tb: &testbed.Testbed{Cache: t.TempDir(), Private: true}, kernels: map[string]guestKernel{}}
	s := bench.Spec{Init: true, Settings: map[string]string{"net": "bridge", "nic": "e1000"}}
	s.Command.Argv = []string{"/bin/true"}
	if err := e.Check(context.Background(), s); !errors.Is(err, bench.ErrUnavailable) || !strings.Contains(err.Error(), "make full-kernel") {
		t.Errorf("an emulated card without its kernel: %v", err)
	}
	e.tb.Private = false
	if err := e.checkCard(context.Background(), s); !errors.Is(err, bench.ErrUnavailable) {
		t.Errorf("a bridge that lies elsewhere: %v", err)
	}
	for net, want := range map[string]string{"": "", "none": "", "user": kernel.FullName, "bridge": kernel.FullName} {
		s.Settings["net"] = net
		if got := asked.KernelName(s); got != want {
			t.Errorf("net=%s: kernel %q, want %q", net, got, want)
		}
	}
	s.Settings["kernel"] = "/boot/mine"
	if got := asked.KernelName(s); got != "/boot/mine" {
		t.Errorf("the user's own kernel became %q", got)
	}
}
