package testbed

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Subnet is where all addresses of a testbed come from: RFC 2544 sets it aside
// for benchmarks, so it is nobody's LAN, Docker network or VPN. Since the
// bridge has no port that leads out of the testbed, no packet does either.
var Subnet = netip.MustParsePrefix("198.18.0.0/15")

// Bridge is the bridge's name in the testbed's network namespace.
const Bridge = "lab0"

// A Network is the testbed's bridge, in the testbed's network namespace.
type Network struct {
	Gateway netip.Addr // the bridge's own address

	ns     *os.File // the namespace, where it isn't this process's own
	handle *netlink.Handle
	index  int

	mu   sync.Mutex
	next netip.Addr
	used map[netip.Addr]bool
}

// newNetwork makes the bridge. In a worker it lies in the namespace that the
// worker lives in; else in a new one, which lives as long as the descriptor
// that is open on it.
func newNetwork(private bool) (*Network, error) {
	n := &Network{Gateway: Subnet.Addr().Next(), used: map[netip.Addr]bool{}}
	n.next = n.Gateway.Next()
	if private {
		return n, n.build()
	}
	err := elsewhere(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		if n.ns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		return n.build()
	})
	if err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

// build makes the bridge in the calling thread's network namespace. A netlink
// socket belongs to the namespace that it was opened in, wherever it is used.
func (n *Network) build() (err error) {
	if n.handle, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return err
	}
	if _, err := up(n.handle, "lo"); err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = Bridge
	if err := n.handle.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
		return fmt.Errorf("make bridge %s: %w", Bridge, err)
	}
	n.index, err = up(n.handle, Bridge, netip.PrefixFrom(n.Gateway, Subnet.Bits()))
	return err
}

// up sets a device up, with an address if it is given one, and returns the device's
// number.
func up(h *netlink.Handle, name string, address ...netip.Prefix) (index int, err error) {
	l, err := h.LinkByName(name)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	for _, a := range address {
		addr, err := netlink.ParseAddr(a.String())
		if err != nil {
			return 0, err
		}
		if err := h.AddrAdd(l, addr); err != nil {
			return 0, fmt.Errorf("address of %s: %w", name, err)
		}
	}
	if err := h.LinkSetUp(l); err != nil {
		return 0, fmt.Errorf("set %s up: %w", name, err)
	}
	return l.Attrs().Index, nil
}

// Lease hands out an address with the subnet's prefix length. It belongs to the
// caller until Release. Addresses go round: one that was given back isn't
// handed out again until all others were, since neighbours may still hold it
// in their ARP tables.
func (n *Network) Lease() (netip.Prefix, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for first := n.next; ; {
		a := n.next
		n.next = a.Next()
		// The last one is the broadcast address.
		if !Subnet.Contains(n.next) {
			n.next = n.Gateway.Next()
		}
		if !n.used[a] {
			n.used[a] = true
			return netip.PrefixFrom(a, Subnet.Bits()), nil
		}
		if n.next == first {
			return netip.Prefix{}, fmt.Errorf("no address is left in %v", Subnet)
		}
	}
}

// Release takes an address back.
func (n *Network) Release(p netip.Prefix) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.used, p.Addr())
}

// BridgePort is the name of the bridge's port that leads to an address.
func BridgePort(a netip.Prefix) string {
	b := a.Addr().As4()
	return fmt.Sprintf("v%x", b[1:])
}

// Attach makes the calling thread's network namespace a port of the bridge,
// by a device called name that has the address.
func (n *Network) Attach(name string, a netip.Prefix) error {
	ns, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open the network namespace: %w", err)
	}
	defer unix.Close(ns)
	if err := n.connect(ns, name, a); err != nil {
		return err
	}
	return n.configure(name, a)
}

// connect makes a pair of virtual Ethernet devices: one is a port of the
// bridge, the other is called name in the network namespace that ns is a
// descriptor of.
func (n *Network) connect(ns int, name string, a netip.Prefix) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = BridgePort(a)
	attrs.MasterIndex = n.index
	attrs.Flags |= net.FlagUp // in the same message
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: name, PeerNamespace: netlink.NsFd(ns)}
	if err := n.handle.LinkAdd(veth); err != nil {
		return fmt.Errorf("make veth %s: %w", attrs.Name, err)
	}
	return nil
}

// Disconnect removes the pair that leads to an address. It would go with the
// namespace at its other end, too, at some time: the kernel clears those up in
// the background.
func (n *Network) Disconnect(a netip.Prefix) error {
	l, err := n.handle.LinkByName(BridgePort(a))
	var none netlink.LinkNotFoundError
	if errors.As(err, &none) {
		return nil
	}
	if err == nil {
		err = n.handle.LinkDel(l)
		if errors.Is(err, unix.ENODEV) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("remove veth %s: %w", BridgePort(a), err)
	}
	return nil
}

// configure gives the device called name in the calling thread's network
// namespace its address and its route to the bridge, and sets it up.
func (n *Network) configure(name string, a netip.Prefix) error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	index, err := up(h, name, a)
	if err != nil {
		return err
	}
	route := &netlink.Route{LinkIndex: index, Gw: n.Gateway.AsSlice()}
	if err := h.RouteAdd(route); err != nil {
		return fmt.Errorf("default route: %w", err)
	}
	return nil
}

// NS is a descriptor of the testbed's network namespace, or nil where that is
// this process's own.
func (n *Network) NS() *os.File { return n.ns }

func (n *Network) close() error {
	if n.handle != nil {
		n.handle.Close()
	}
	if n.ns != nil {
		return n.ns.Close()
	}
	return nil
}
