package foreign

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"lab/bench"
)

func TestParseNetwork(t *testing.T) {
	for _, c := range []struct {
		name, xml string
		salt      uint32
		used      string // an address that this run has given
		want      string // "" where there is none
		gateway   string
		say       string // of an error
	}{
		{name: "libvirt's own, all of it dynamic", gateway: "192.168.122.1", want: "192.168.122.2/24",
			xml: `<network><ip address="192.168.122.1" netmask="255.255.255.0"><dhcp><range start="192.168.122.2" end="192.168.122.254"/></dhcp></ip></network>`},
		{name: "salted", salt: 65, gateway: "192.168.122.1", want: "192.168.122.66/24",
			xml: `<network><ip address="192.168.122.1" netmask="255.255.255.0"><dhcp><range start="192.168.122.2" end="192.168.122.254"/></dhcp></ip></network>`},
		{name: "outside the range", salt: 65, gateway: "10.0.0.1", want: "10.0.0.201/24",
			xml: `<network><ip family="ipv6" address="fd00::1" prefix="64"/><ip family="ipv4" address="10.0.0.1" prefix="24"><dhcp><range start="10.0.0.2" end="10.0.0.200"/></dhcp></ip></network>`},
		{name: "promised", gateway: "10.0.0.1", want: "10.0.0.4/29", used: "10.0.0.3",
			xml: `<network><ip address="10.0.0.1" prefix="29"><dhcp><host mac="52:54:00:00:00:01" ip="10.0.0.2"/><host name="x"/></dhcp></ip></network>`},
		{name: "gateway last", salt: 5, gateway: "10.0.0.6", want: "10.0.0.1/29", xml: `<network><ip address="10.0.0.6" prefix="29"/></network>`},
		{name: "by class", gateway: "10.0.0.1", want: "10.0.0.2/8", xml: `<network><ip address="10.0.0.1"/></network>`},
		{name: "full", gateway: "10.0.0.1", used: "10.0.0.2", xml: `<network><ip address="10.0.0.1" prefix="30"/></network>`},
		{name: "no room", gateway: "10.0.0.1", xml: `<network><ip address="10.0.0.1" prefix="31"/></network>`},
		{name: "a bridge of the host's", xml: `<network><forward mode="bridge"/><bridge name="br0"/></network>`, say: "no IPv4 range"},
		{name: "IPv6 alone", xml: `<network><ip family="ipv6" address="fd00::1" prefix="64"/></network>`, say: "no IPv4 range"},
		{name: "no address", xml: `<network><ip address="router" prefix="24"/></network>`, say: "router"},
		{name: "no mask", xml: `<network><ip address="10.0.0.1" netmask="255.0.255.0"/></network>`, say: "is no network"},
		{name: "no range", xml: `<network><ip address="10.0.0.1" prefix="24"><dhcp><range start="10.0.0.2" end="fd00::9"/></dhcp></ip></network>`, say: "fd00::9"},
		{name: "no XML", xml: `<network`, say: "network XML"},
	} {
		n, err := parseNetwork(c.xml)
		if c.say != "" || err != nil {
			if c.say == "" || err == nil || !strings.Contains(err.Error(), c.say) {
				t.Errorf("%s: %v, want an error that says %q", c.name, err, c.say)
			}
			continue
		}
		got, ok := n.free(c.salt, func(a netip.Addr) bool { return a.String() == c.used })
		if ok != (c.want != "") || ok && got.String() != c.want || n.gateway.String() != c.gateway {
			t.Errorf("%s: %v, %v by %v, want %q by %s", c.name, got, ok, n.gateway, c.want, c.gateway)
		}
	}
}

// Other hypervisors are a reason and a fix, before anything is connected to.
func TestOtherHypervisors(t *testing.T) {
	for _, driver := range []string{"xen:///system", "vbox:///session"} {
		f := New(driver, driver, func() (net.Conn, error) { t.Error("it connects"); return nil, net.ErrClosed })
		if err := f.Open(t.Context(), "x"); !errors.Is(err, bench.ErrUnavailable) {
			t.Errorf("%s: %v", driver, err)
		}
	}
}
