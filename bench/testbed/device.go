package testbed

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A Device is a network device of the namespace that this process lives in,
// with what has passed it so far. For a bridge's port, what it has sent has gone
// into the instance.
type Device struct {
	Name               string
	Received, Sent     uint64 // bytes
	ReceivedN, SentN   uint64 // packets; with offloads, of up to 64 KiB
	MTU                int    // bytes
	Offloads, Disabled []string
}

// offloads are what a device takes off the kernel's hands, by ethtool's names.
// Devices of software carry a packet of 64 KiB through in one go where the
// sender may leave the cutting (tso, gso) and the receiver the joining (gro) to
// them: it makes more difference than anything else about them.
var offloads = []struct {
	name string
	get  uint32 // ethtool's command
}{
	{"tso", unix.ETHTOOL_GTSO},
	{"gso", unix.ETHTOOL_GGSO},
	{"gro", unix.ETHTOOL_GGRO},
	{"sg", unix.ETHTOOL_GSG},
	{"tx-checksum", unix.ETHTOOL_GTXCSUM},
	{"rx-checksum", unix.ETHTOOL_GRXCSUM},
}

// Devices lists the network devices. In a worker these are the testbed's:
// loopback, the bridge, and a port of it for each instance that is on it.
func Devices() ([]Device, error) {
	links, err := netlink.LinkList()
	if errors.Is(err, netlink.ErrDumpInterrupted) { // one came or went meanwhile
		links, err = netlink.LinkList()
	}
	if err != nil {
		return nil, fmt.Errorf("list network devices: %w", err)
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)
	var out []Device
	for _, l := range links {
		a := l.Attrs()
		d := Device{Name: a.Name, MTU: a.MTU}
		if st := a.Statistics; st != nil {
			d.Received, d.Sent, d.ReceivedN, d.SentN = st.RxBytes, st.TxBytes, st.RxPackets, st.TxPackets
		}
		for _, o := range offloads {
			on, err := ethtool(s, a.Name, o.get)
			switch {
			case err != nil: // it has no such thing
			case on:
				d.Offloads = append(d.Offloads, o.name)
			default:
				d.Disabled = append(d.Disabled, o.name)
			}
		}
		out = append(out, d)
	}
	return out, nil
}

// AskNeighbours sets the time between two questions who has an address (ARP), on the
// bridge in the namespace that this process lives in; 0 is the kernel's default.
func AskNeighbours(every time.Duration) error {
	if every == 0 {
		every = time.Second
	}
	name := "/proc/sys/net/ipv4/neigh/" + Bridge + "/retrans_time_ms"
	err := os.WriteFile(name, []byte(strconv.FormatInt(every.Milliseconds(), 10)), 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil // a testbed whose instances need no bridge has none
	}
	return err
}

// Features says in words what the device is set to.
func (d Device) Features() string {
	s := fmt.Sprintf("MTU %d", d.MTU)
	if len(d.Offloads) > 0 {
		s += ", " + strings.Join(d.Offloads, " ")
	}
	if len(d.Disabled) > 0 {
		s += ", without " + strings.Join(d.Disabled, " ")
	}
	return s
}

// ethtool asks for one of a device's features (ethtool's old interface, which
// every kernel has: <linux/ethtool.h>, struct ethtool_value).
func ethtool(socket int, device string, get uint32) (on bool, err error) {
	value := struct{ cmd, data uint32 }{cmd: get}
	var request struct { // struct ifreq, netdevice(7)
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(request.name[:unix.IFNAMSIZ-1], device)
	request.data = unsafe.Pointer(&value)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return false, errno
	}
	return value.data != 0, nil
}

// NetworkFacts says what else of this machine bears on a figure of its network:
// how TCP is set, whether the bridge hands packets to the firewall, and whether
// a guest's packets go by the kernel (vhost) or by QEMU.
func NetworkFacts() map[string]string {
	out := map[string]string{}
	read := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			return ""
		}
		return strings.Join(strings.Fields(string(b)), " ")
	}
	const ipv4 = "/proc/sys/net/ipv4/"
	for key, name := range map[string]string{
		"congestion control": "tcp_congestion_control", "receive buffer": "tcp_rmem", "send buffer": "tcp_wmem",
	} {
		if v := read(ipv4 + name); v != "" {
			out[key] = v
		}
	}
	switch read("/proc/sys/net/bridge/bridge-nf-call-iptables") {
	case "":
		out["bridge-netfilter"] = "not loaded"
	case "0":
		out["bridge-netfilter"] = "off"
	default:
		out["bridge-netfilter"] = "on: each packet over the bridge passes the firewall's rules"
	}
	if f, err := os.OpenFile("/dev/vhost-net", os.O_RDWR, 0); err == nil {
		f.Close()
		out["vhost-net"] = "there"
	} else {
		out["vhost-net"] = "none: " + errors.Unwrap(err).Error()
	}
	return out
}

// Loopback sets the loopback device of the calling thread's network namespace
// up. In a new one it is down.
func Loopback() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return os.NewSyscallError("set lo up", unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, r))
}
