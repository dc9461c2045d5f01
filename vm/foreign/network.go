package foreign

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"lab/bench"
	"lab/vm/client"
)

// Where a foreign libvirt makes the guests, one of its networks can be theirs
// (net=network).
//
// The guest's address is chosen here, and its init told, as on the testbed's
// bridge. To ask the network's DHCP server would leave the choice to whom it
// belongs; but that server (dnsmasq) waits for up to three seconds whether
// somebody answers at an address before it offers it, which would be counted as
// a part of the guest's start, and a network may be without one. So the address
// is one that is promised to nobody: outside of the server's ranges where these
// leave any, else one in them without a lease. By that very wait the server
// doesn't give it to another while the guest lives. Only a machine that took an
// address without being in libvirt's books can be in the way.

// A farNetwork is what a network's definition says of its addresses.
type farNetwork struct {
	subnet  netip.Prefix // masked
	gateway netip.Addr   // the machine that libvirt runs on
	ranges  [][2]netip.Addr
	taken   map[netip.Addr]bool // by DHCP
}

// errNoRange says that libvirt gives a network's machines no addresses.
var errNoRange = errors.New("it has no IPv4 range of libvirt's, so that which addresses are free isn't known here")

// parseNetwork reads a network's definition. It is a pure function.
func parseNetwork(text string) (n farNetwork, err error) {
	var def libvirtxml.Network
	if err := def.Unmarshal(text); err != nil {
		return n, fmt.Errorf("network XML: %w", err)
	}
	at := slices.IndexFunc(def.IPs, func(ip libvirtxml.NetworkIP) bool {
		return ip.Address != "" && (ip.Family == "" || ip.Family == "ipv4")
	})
	if at < 0 {
		return n, errNoRange
	}
	ip := def.IPs[at]
	if n.gateway, err = parse4(ip.Address); err != nil {
		return n, err
	}
	bits := int(ip.Prefix)
	if bits == 0 {
		mask := net.IP(n.gateway.AsSlice()).DefaultMask() // as libvirt does
		if ip.Netmask != "" {
			m, err := parse4(ip.Netmask)
			if err != nil {
				return n, err
			}
			mask = m.AsSlice()
		}
		bits, _ = mask.Size()
	}
	if n.subnet, err = n.gateway.Prefix(bits); err != nil || bits < 1 {
		return n, fmt.Errorf("network XML: %s with netmask %q is no network", ip.Address, ip.Netmask)
	}
	n.taken = map[netip.Addr]bool{}
	if ip.DHCP == nil {
		return n, nil
	}
	for _, r := range ip.DHCP.Ranges {
		from, err1 := parse4(r.Start)
		to, err2 := parse4(r.End)
		if err := errors.Join(err1, err2); err != nil {
			return n, err
		}
		n.ranges = append(n.ranges, [2]netip.Addr{from, to})
	}
	for _, h := range ip.DHCP.Hosts {
		if a, err := parse4(h.IP); err == nil { // it may have a name alone
			n.taken[a] = true
		}
	}
	return n, nil
}

func parse4(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err == nil && !a.Is4() {
		err = fmt.Errorf("%s isn't IPv4", s)
	}
	if err != nil {
		return a, fmt.Errorf("network XML: %w", err)
	}
	return a, nil
}

// maxLooks bounds the search for an address.
const maxLooks = 1 << 16

// free chooses an address that nobody has: not the network's first and last, not
// the gateway, and one of DHCP's ranges only where nothing else is left. salt
// says where to begin, so that two labs on one network are unlikely to choose the
// same.
func (n farNetwork) free(salt uint32, used func(netip.Addr) bool) (netip.Prefix, bool) {
	size := uint32(1) << (32 - n.subnet.Bits())
	if size < 4 {
		return netip.Prefix{}, false
	}
	first := n.subnet.Addr().As4()
	base := uint32(first[0])<<24 | uint32(first[1])<<16 | uint32(first[2])<<8 | uint32(first[3])
	for _, dynamic := range []bool{false, true} {
		for look := uint32(0); look < min(size-2, maxLooks); look++ {
			v := base + 1 + (salt%(size-2)+look)%(size-2)
			a := netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
			if a != n.gateway && !n.taken[a] && n.dynamic(a) == dynamic && !used(a) {
				return netip.PrefixFrom(a, n.subnet.Bits()), true
			}
		}
	}
	return netip.Prefix{}, false
}

// dynamic says whether DHCP gives an address to whoever comes.
func (n farNetwork) dynamic(a netip.Addr) bool {
	return slices.ContainsFunc(n.ranges, func(r [2]netip.Addr) bool {
		return r[0].Compare(a) <= 0 && a.Compare(r[1]) <= 0
	})
}

// CheckNetwork says whether a guest can be on a network of that name.
func (f *Libvirt) CheckNetwork(ctx context.Context, name string) error {
	_, err := f.network(ctx, name)
	return err
}

// network reads a network's definition and leases. Where the network isn't
// there the error says which are.
func (f *Libvirt) network(ctx context.Context, name string) (n farNetwork, err error) {
	c, err := f.Connection(ctx)
	if err != nil {
		return n, bench.Unavailable(err.Error(), "virsh -c URI net-list")
	}
	var (
		has  []string // with what is said of each
		text string
		some []libvirt.NetworkDhcpLease
	)
	err = c.Call(ctx, "look for network "+name, client.CallTimeout, func(l *libvirt.Libvirt) error {
		all, _, err := l.ConnectListAllNetworks(1, 0)
		if err != nil {
			return err
		}
		for _, x := range all {
			active, err := l.NetworkIsActive(x)
			switch {
			case err != nil:
				return err
			case active == 0:
				has = append(has, x.Name+" (inactive)")
				continue
			}
			has = append(has, x.Name)
			if x.Name == name {
				if text, err = l.NetworkGetXMLDesc(x, 0); err == nil {
					some, _, err = l.NetworkGetDhcpLeases(x, nil, 1, 0)
				}
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return n, bench.Unavailable(err.Error(), "virsh -c URI net-list --all")
	}
	if text == "" {
		return n, noNetwork(name, has)
	}
	if n, err = parseNetwork(text); err != nil {
		return n, bench.NotApplicable(fmt.Sprintf("network %s of the foreign libvirt: %v", name, err), "name another network, or --variant net=user")
	}
	for _, x := range some {
		if a, err := netip.ParseAddr(x.Ipaddr); err == nil {
			n.taken[a] = true
		}
	}
	return n, nil
}

// noNetwork says that a network isn't there or isn't active, and which are.
func noNetwork(name string, has []string) error {
	slices.Sort(has)
	switch {
	case len(has) == 0:
		return bench.Unavailable("the foreign libvirt has no network "+name+", and no other", "virsh -c URI net-define FILE and net-start, or --variant net=user")
	case slices.Contains(has, name+" (inactive)"):
		return bench.Unavailable("network "+name+" of the foreign libvirt isn't active; it has: "+strings.Join(has, ", "), "virsh -c URI net-start "+name+", or --variant network=NAME of another")
	}
	return bench.Unavailable("the foreign libvirt has no network "+name+"; it has: "+strings.Join(has, ", "), "--variant net=network,network=NAME of one that is active")
}

// A farLease is an address on a network of a foreign libvirt.
type farLease struct {
	network string
	addr    netip.Addr
}

// Lease chooses an address on a network, the caller's until giveBack.
func (f *Libvirt) Lease(ctx context.Context, name string) (addr netip.Prefix, gateway netip.Addr, err error) {
	n, err := f.network(ctx, name)
	if err != nil {
		return addr, gateway, err
	}
	salt := fnv.New32a()
	salt.Write([]byte(f.owner))
	f.addrs.Lock()
	defer f.addrs.Unlock()
	addr, ok := n.free(salt.Sum32(), func(a netip.Addr) bool { return f.leases[farLease{name, a}] })
	if !ok {
		return addr, gateway, bench.Unavailable(fmt.Sprintf("network %s of the foreign libvirt has no address left in %v", name, n.subnet), "run fewer instances, or name a larger network")
	}
	f.leases[farLease{name, addr.Addr()}] = true
	return addr, n.gateway, nil
}

// GiveBack takes an address back.
func (f *Libvirt) GiveBack(name string, a netip.Prefix) {
	f.addrs.Lock()
	defer f.addrs.Unlock()
	delete(f.leases, farLease{name, a.Addr()})
}
