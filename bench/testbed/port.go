package testbed

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// A Port is a port of an instance that is published: whoever connects to the
// port outside gets to the one inside.
type Port struct {
	Proto string     // "tcp" or "udp"
	IP    netip.Addr // the address outside; the zero Addr is 127.0.0.1
	Host  uint16     // the port outside
	Port  uint16     // the port inside
}

// ParsePort reads [IP:]HOSTPORT:PORT[/tcp|udp]. An IPv6 address wants brackets.
func ParsePort(s string) (p Port, err error) {
	word, proto, given := strings.Cut(s, "/")
	if p.Proto = proto; !given {
		p.Proto = "tcp"
	}
	if p.Proto != "tcp" && p.Proto != "udp" {
		return p, fmt.Errorf("%q is neither tcp nor udp", proto)
	}
	i := strings.LastIndexByte(word, ':')
	if i < 0 {
		return p, errors.New("not of the form [IP:]HOSTPORT:PORT[/tcp|udp]")
	}
	outside, inside := word[:i], word[i+1:]
	if i = strings.LastIndexByte(outside, ':'); i >= 0 {
		ip := strings.TrimSuffix(strings.TrimPrefix(outside[:i], "["), "]")
		if p.IP, err = netip.ParseAddr(ip); err != nil {
			return p, fmt.Errorf("%q is no address of this machine", ip)
		}
		outside = outside[i+1:]
	}
	if p.Host, err = portNumber(outside); err != nil {
		return p, err
	}
	p.Port, err = portNumber(inside)
	return p, err
}

func portNumber(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("port %q: a port is a number from 1 to 65535", s)
	}
	return uint16(n), nil
}

// Outside is the address to connect to.
func (p Port) Outside() netip.AddrPort {
	ip := p.IP
	if !ip.IsValid() {
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.AddrPortFrom(ip, p.Host)
}

// String is what ParsePort reads.
func (p Port) String() string { return fmt.Sprintf("%v:%d/%s", p.Outside(), p.Port, p.Proto) }

// CheckPorts refuses what can't be published together, or at all.
func CheckPorts(ports []Port) error {
	for i, p := range ports {
		if p.Host == 0 || p.Port == 0 {
			return fmt.Errorf("%v: a port is a number from 1 to 65535", p)
		}
		if p.Proto != "tcp" && p.Proto != "udp" {
			return fmt.Errorf("%v: %q is neither tcp nor udp", p, p.Proto)
		}
		for _, q := range ports[:i] {
			if p.Proto == q.Proto && p.Outside() == q.Outside() {
				return fmt.Errorf("%s port %v is published twice", p.Proto, p.Outside())
			}
		}
	}
	return nil
}

// A listenError says who is to be asked why a port can't be had.
func listenError(p Port, err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	flag := "-ltnp"
	if p.Proto == "udp" {
		flag = "-lunp"
	}
	return fmt.Errorf("publish %s port %v: %w; fix: use another HOSTPORT, or end the program that has it: ss %s 'sport = :%d'", p.Proto, p.Outside(), err, flag, p.Host)
}
