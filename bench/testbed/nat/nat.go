// Package nat publishes ports by the kernel's own means: rules of nftables that
// rewrite addresses, as the engines do it. They are made in the testbed's
// network namespace, and go with it; nobody's firewall is touched.
//
// It isn't a part of package testbed, as that is linked into the small program
// lab, which has no testbed with a network namespace of its own and would pay
// for this one at each start.
package nat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"lab/bench/testbed"
)

// A rule is one published port: a table of its own, and the socket that keeps
// the port from others. No byte goes through that.
type rule struct {
	table   *nftables.Table
	reserve io.Closer
}

// Publish has the kernel send what comes for a port to the instance at an address
// of the bridge. It is for a worker, whose network namespace the testbed's is.
// The caller closes what it returns; connections that are there go on until then
// and end with the instance.
func Publish(p testbed.Port, to netip.Addr) (_ io.Closer, err error) {
	r := &rule{}
	if r.reserve, err = testbed.Reserve(p); err != nil {
		return nil, err
	}
	if !p.Outside().Addr().Is4() {
		return nil, errors.Join(fmt.Errorf("publish %v: the testbed's network is IPv4", p), r.reserve.Close())
	}
	// A packet from 127.0.0.1 may leave by the bridge, and its answer come in.
	// It gets another sender on the way.
	sysctl := "/proc/sys/net/ipv4/conf/" + testbed.Bridge + "/route_localnet"
	if err := os.WriteFile(sysctl, []byte("1"), 0); err != nil {
		return nil, errors.Join(fmt.Errorf("publish: %w", err), r.reserve.Close())
	}
	if err := r.add(p, to); err != nil {
		return nil, errors.Join(fmt.Errorf("publish %v by nftables: %w", p, err), r.reserve.Close())
	}
	return r, nil
}

// add makes the table, all of it at once.
func (r *rule) add(p testbed.Port, to netip.Addr) error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	r.table = c.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4,
		Name: fmt.Sprintf("lab-%s-%08x-%d", p.Proto, p.Outside().Addr().As4(), p.Host)})
	chain := func(name string, hook *nftables.ChainHook, prio *nftables.ChainPriority) *nftables.Chain {
		return c.AddChain(&nftables.Chain{Name: name, Table: r.table, Type: nftables.ChainTypeNAT, Hooknum: hook, Priority: prio})
	}
	there := append(match(p),
		&expr.Immediate{Register: 1, Data: to.AsSlice()},
		&expr.Immediate{Register: 2, Data: binary.BigEndian.AppendUint16(nil, p.Port)},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 2})
	// What this namespace's own programs send, and what other instances do.
	for _, x := range []*nftables.Chain{
		chain("output", nftables.ChainHookOutput, nftables.ChainPriorityNATDest),
		chain("prerouting", nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest),
	} {
		c.AddRule(&nftables.Rule{Table: r.table, Chain: x, Exprs: there})
	}
	c.AddRule(&nftables.Rule{Table: r.table, Chain: chain("postrouting", nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource),
		Exprs: []expr.Any{
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 1}, // source, first byte
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{127}},
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: to.AsSlice()},
			&expr.Masq{},
		}})
	return c.Flush()
}

// match is true for packets to the port outside.
func match(p testbed.Port) []expr.Any {
	proto := byte(unix.IPPROTO_TCP)
	if p.Proto == "udp" {
		proto = unix.IPPROTO_UDP
	}
	ip := p.Outside().Addr()
	e := []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}, // destination
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: ip.AsSlice()},
	}
	if ip.IsUnspecified() { // any address of this namespace
		e = []expr.Any{
			&expr.Fib{Register: 1, FlagDADDR: true, ResultADDRTYPE: true},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.NativeEndian.AppendUint32(nil, unix.RTN_LOCAL)},
		}
	}
	return append(e,
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{proto}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}, // destination port
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, p.Host)})
}

// Close takes the rules away and gives the port back.
func (r *rule) Close() error {
	c, err := nftables.New()
	if err == nil {
		c.DelTable(r.table)
		err = c.Flush()
	}
	if errors.Is(err, os.ErrNotExist) {
		err = nil // gone already
	}
	return errors.Join(err, r.reserve.Close())
}

// Try says whether this kernel has all of it. It is to be called on a thread
// whose network namespace may be spoiled.
func Try() error {
	p := testbed.Port{Proto: "tcp", Host: 1, Port: 1}
	return (&rule{}).add(p, testbed.Subnet.Addr())
}
