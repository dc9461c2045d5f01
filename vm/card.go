package vm

import (
	"context"
	"net/netip"

	"lab/bench"
	"lab/bench/probe/guestinit/wire"
	"lab/bench/testbed"
	"lab/vm/domain"
)

// cardName is what every Linux calls its first network card, where nothing
// renames it.
const cardName = "eth0"

// userNet is QEMU's user-mode network: the guest's address and the gateway, which
// is QEMU. They are the same for every guest, as each has such a network for
// itself.
var userNet = wire.Net{
	Name:    cardName,
	Addr:    netip.MustParsePrefix("10.0.2.15/24"),
	Gateway: netip.MustParseAddr("10.0.2.2"),
}

// HostAddr is the gateway of QEMU's user-mode network, which hands what is sent
// there to the host's loopback device.
func (e *Env) HostAddr(s bench.Spec) string {
	if s.Settings["net"] == "user" {
		return userNet.Gateway.String()
	}
	return ""
}

func hasCard(s bench.Spec) bool { n := s.Settings["net"]; return n != "" && n != "none" }

// checkCard says whether this machine can give a guest its network.
func (e *Env) checkCard(ctx context.Context, s bench.Spec) error {
	if s.Settings["net"] != "bridge" {
		return e.checkNetwork(ctx, s)
	}
	if !e.tb.Private {
		return bench.Unavailable("this testbed has no network of its own", "use lab exec vm or lab run, which make one")
	}
	if !exists("/dev/net/tun") {
		return bench.Unavailable("the host has no /dev/net/tun, which a guest's port on the bridge needs", "modprobe tun")
	}
	return nil
}

// defaultNetwork is the network that libvirt's packages define.
const defaultNetwork = "default"

// networkName is the network that a Spec asks for; "" where it asks for none.
func networkName(s bench.Spec) string {
	switch {
	case s.Settings["net"] != "network":
		return ""
	case s.Settings["network"] == "":
		return defaultNetwork
	}
	return s.Settings["network"]
}

// checkNetwork says whether a guest can be on a network of that libvirt's.
func (e *Env) checkNetwork(ctx context.Context, s bench.Spec) error {
	name := networkName(s)
	switch {
	case name == "" && s.Settings["network"] != "":
		return bench.NotApplicable("network="+s.Settings["network"]+" is given, and net=network isn't", "--variant net=network,network="+s.Settings["network"])
	case name == "":
		return nil
	case e.far == nil:
		return bench.NotApplicable("the lab's own libvirt has no networks", "--variant net=bridge, or --connect URI of a libvirt that has them")
	}
	return e.far.CheckNetwork(ctx, name)
}

// vhost says whether the host's kernel moves a guest's packets: it needs KVM's
// interrupts.
func (e *Env) vhost(s bench.Spec) bool {
	return s.Settings["net"] == "bridge" && s.Settings["nic"] != "e1000" &&
		e.resolve(s.Settings["accel"]) == "kvm" && exists("/dev/vhost-net")
}

// addCard gives the domain its network card, and on the bridge or a network of
// libvirt's an address, which is the instance's until release.
func (i *instance) addCard(ctx context.Context) (wire.Net, error) {
	s := i.spec
	if !hasCard(s) {
		return wire.Net{}, nil
	}
	c := &domain.Card{Model: s.Settings["nic"]}
	i.cfg.Card = c
	if s.Settings["net"] == "user" {
		c.MAC = domain.MACOf(userNet.Addr.Addr())
		return userNet, nil
	}
	if name := networkName(s); name != "" {
		addr, gateway, err := i.env.far.Lease(ctx, name)
		if err != nil {
			return wire.Net{}, err
		}
		i.addr, c.Network, c.MAC = addr, name, domain.MACOf(addr.Addr())
		return wire.Net{Name: cardName, Addr: addr, Gateway: gateway}, nil
	}
	n, err := i.env.tb.Network()
	if err != nil {
		return wire.Net{}, err
	}
	if i.addr, err = n.Lease(); err != nil {
		return wire.Net{}, err
	}
	i.network = n
	c.MAC, c.Bridge, c.Tap, c.VHost = domain.MACOf(i.addr.Addr()), testbed.Bridge, testbed.BridgePort(i.addr), i.env.vhost(s)
	return wire.Net{Name: cardName, Addr: i.addr, Gateway: n.Gateway}, nil
}

// release gives the address back. The port on the bridge went with QEMU, which
// held it.
func (i *instance) release() {
	if i.network != nil {
		i.network.Release(i.addr)
		i.network = nil
	}
	if c := i.cfg.Card; c != nil && c.Network != "" {
		i.env.far.GiveBack(c.Network, i.addr)
	}
}

// Addr is the guest's address on the bridge, or on a network of a foreign
// libvirt's, where others on that network reach it and the testbed doesn't; else
// "".
func (i *instance) Addr() string {
	if !i.addr.IsValid() {
		return ""
	}
	return i.addr.Addr().String()
}
