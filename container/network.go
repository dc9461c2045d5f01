package container

import (
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/launch"
	"lab/bench/testbed"
)

// A new network namespace has one device, loopback, which is down. Its way out
// is a pair of virtual Ethernet devices, a cable with two ends: what is sent
// into one comes out of the other. One end lies inside and is called eth0; the
// other is a port of the bridge, a switch in software, in the testbed's
// namespace (veth(4)).

// pingGroups has the child let every group send ICMP echo requests through a
// datagram socket, which needs no capability (icmp(7)). It is how the engines give
// ping back to a root that has no CAP_NET_RAW. /proc/sys/net is that of the namespace
// of whoever opens it. proc is the container's own: in the lab's, the kernel looks
// through the entries of all live network namespaces for this one's.
func pingGroups(tape *launch.Tape, proc, file launch.Reg) {
	const groups = "0 2147483647"
	// No IPv4, or a host that is a container itself: then there is no such file, or
	// it is read-only, and the write has no descriptor.
	tape.MaybeTo(file, "open ping_group_range", unix.SYS_OPENAT, proc, "sys/net/ipv4/ping_group_range", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	tape.Maybe("write ping_group_range", unix.SYS_WRITE, file, groups, len(groups))
	tape.Maybe("close", unix.SYS_CLOSE, file)
}

// connect sets up the container's own network: loopback, and for net=bridge its
// cable, address and route.
func (c *container) connect(*launch.Thread) error {
	// Programs that talk to themselves over 127.0.0.1 expect it, and every
	// engine does it.
	if err := testbed.Loopback(); err != nil {
		return err
	}
	if c.network == nil {
		return nil
	}
	return c.network.Attach("eth0", c.addr)
}

// publish listens to the ports outside that lead to ports inside.
func (c *container) publish(*launch.Thread) error {
	for _, p := range c.spec.Ports {
		publish := c.network.Publish
		if c.spec.Settings["publish"] == "nftables" {
			publish = c.env.tb.NAT
		}
		f, err := publish(p, c.addr.Addr())
		if err != nil {
			return bench.Blamed(bench.BlameMachine, err)
		}
		c.published = append(c.published, f)
	}
	return nil
}
