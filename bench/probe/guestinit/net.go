package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/probe/guestinit/wire"
)

// linkWait is how long a network card may take until its link is there: an
// emulated one negotiates, as if a cable had been plugged in.
const linkWait = 10 * time.Second

// loopback sets the loopback device up.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	return up(fd, "lo")
}

func up(fd int, name string) error {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

// configure gives the network card its address and its route, sets it up, and
// waits for its link: what is sent before would be lost.
func configure(n wire.Net) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	events, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(events)
	if err := unix.Bind(events, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	mask := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-n.Addr.Bits()))))
	for _, x := range []struct {
		what string
		op   uint
		addr netip.Addr
	}{
		{"address", unix.SIOCSIFADDR, n.Addr.Addr()},
		{"netmask", unix.SIOCSIFNETMASK, mask},
	} {
		r, err := unix.NewIfreq(n.Name)
		if err != nil {
			return err
		}
		b := x.addr.As4()
		if err := r.SetInet4Addr(b[:]); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(fd, x.op, r); err != nil {
			return fmt.Errorf("%s of %s: %w", x.what, n.Name, err)
		}
	}
	if err := up(fd, n.Name); err != nil {
		return err
	}
	if err := awaitOn(events, "link of "+n.Name, linkWait, func() (bool, error) {
		r, err := unix.NewIfreq(n.Name)
		if err != nil {
			return false, err
		}
		err = unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, r)
		return r.Uint16()&unix.IFF_RUNNING != 0, err
	}); err != nil {
		return err
	}
	return route(n.Gateway)
}

// route sets the default route, by one rtnetlink message (rtnetlink(7)); the
// older ioctl's structure holds pointers.
func route(gateway netip.Addr) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	gw := gateway.As4()
	ne := binary.NativeEndian
	const size = unix.SizeofNlMsghdr + unix.SizeofRtMsg + unix.SizeofRtAttr + 4
	b := ne.AppendUint32(nil, size)
	b = ne.AppendUint16(b, unix.RTM_NEWROUTE)
	b = ne.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE)
	b = ne.AppendUint64(b, 1) // sequence, and a port that the kernel fills in
	b = append(b, unix.AF_INET, 0, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_BOOT, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST)
	b = ne.AppendUint32(b, 0)
	b = ne.AppendUint16(b, unix.SizeofRtAttr+4)
	b = ne.AppendUint16(b, unix.RTA_GATEWAY)
	b = append(b, gw[:]...)
	if err := unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("default route: %w", err)
	}
	var answer [512]byte
	k, err := unix.Read(fd, answer[:])
	if err != nil {
		return fmt.Errorf("default route: %w", err)
	}
	// An NLMSG_ERROR, whose number is 0 where all is well.
	if k < unix.SizeofNlMsghdr+4 {
		return errors.New("default route: the kernel's answer is too short")
	}
	if e := int32(ne.Uint32(answer[unix.SizeofNlMsghdr:])); e != 0 {
		return fmt.Errorf("default route over %v: %w", gateway, unix.Errno(-e))
	}
	return nil
}

// await looks for something until it is there. Between two looks it waits for
// the kernel to tell of a device on a netlink socket.
func await(what string, atMost time.Duration, look func() (bool, error)) error {
	events, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(events)
	// Group 1 has the kernel's own messages.
	if err := unix.Bind(events, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	return awaitOn(events, what, atMost, look)
}

// awaitOn looks for something again after each message on a socket that was
// opened before the first look: nothing can come unseen between the two.
func awaitOn(events int, what string, atMost time.Duration, look func() (bool, error)) error {
	deadline := time.Now().Add(atMost)
	for {
		ok, err := look()
		if ok || err != nil {
			return err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("no %s came within %v", what, atMost)
		}
		tv := unix.NsecToTimeval(int64(left))
		if err := unix.SetsockoptTimeval(events, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
		// Whatever it says, something changed.
		var buf [8192]byte
		unix.Read(events, buf[:])
	}
}
