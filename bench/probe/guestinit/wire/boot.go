package wire

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// A Boot says what the guest's init has to set up before anything else runs.
// The host writes it on the kernel's command line, and so it is words:
//
//	root=ext4                                the image is a disk, not the initramfs: that of
//	                                         a serial number, or root=/dev/xvda, that device
//	domain=pvh,2031616,412,7816000           this is Xen's first domain, and the workload is to
//	                                         be in another, of that type: see [Domain]
//	engine=docker                            the distribution starts its Docker as well: not
//	                                         this init, but who starts it (setup-distro.sh)
//	since=2.1,4.5,9.8                        when a distribution's initramfs, its systemd
//	                                         and its unit began, in seconds on the
//	                                         kernel's clock
//	data=/data                               there is a data disk, to be mounted there
//	share=lab-0,/host,ro                     the host's folder of that tag, to be mounted there,
//	                                         ro or rw; any number of these
//	net=eth0,198.18.0.2/15,198.18.0.1        the card's name, address and gateway
//	name=web                                 what the machine is called
//	exec PATH ARG…                           then become that program; without it,
//	                                         speak over the port
type Boot struct {
	Root   bool   // the root is the disk RootSerial with a writable layer over it
	Dev    string // its device, where Xen made it, whose disks have no serial numbers
	Domain Domain // what dom0 is to start; the zero value is none
	Engine bool   // a distribution is to start its Docker
	Data   string // where to mount the disk DataSerial; "" where there is none
	Net    Net

	// Since are the times since the kernel's start at which a distribution's parts began.
	Since []time.Duration

	Shares []Share
	Name   string // of the machine; "" where it needs none

	// Port is the terminal line that leads to the host; "" is a virtio serial port.
	Port string

	// Exec is the workload's path and arguments, where it is to be PID 1 and
	// needs what init sets up.
	Exec []string
}

// A Net is the configuration of a guest's network card.
type Net struct {
	Name    string       // "eth0"; "" where there is no card
	Addr    netip.Prefix // its address and how much of it is the network's
	Gateway netip.Addr
}

// A Domain is a guest of Xen's, which the init starts that runs in dom0. What it is made of
// follows on the init's program in one file: its configuration for xl, its kernel, and, up to
// the end, its initramfs.
type Domain struct {
	Type   string // "pv" or "pvh"
	At     int64  // where the configuration begins
	Config int64  // and how long it is
	Kernel int64  // and the kernel behind it
}

// The files that a domain's configuration names.
const (
	DomainName   = "guest"
	DomainDir    = "/run/lab-domain"
	DomainKernel = DomainDir + "/kernel"
	DomainInitrd = DomainDir + "/initrd"
)

// A Share is a folder of the host that a guest is shown.
type Share struct {
	Tag      string // virtiofs's name of it
	Dir      string // where to mount it
	ReadOnly bool
}

// Serial numbers of disks, by which init knows one from another.
const (
	RootSerial = "lab-root"
	DataSerial = "lab-data"
)

// Words writes a Boot as PID 1's arguments.
func (b Boot) Words() (out []string) {
	switch {
	case b.Root && b.Dev != "":
		out = append(out, "root="+b.Dev)
	case b.Root:
		out = append(out, "root=ext4")
	}
	if d := b.Domain; d.Type != "" {
		out = append(out, fmt.Sprintf("domain=%s,%d,%d,%d", d.Type, d.At, d.Config, d.Kernel))
	}
	if b.Engine {
		out = append(out, "engine=docker")
	}
	if len(b.Since) > 0 {
		var all []string
		for _, d := range b.Since {
			all = append(all, strconv.FormatFloat(d.Seconds(), 'f', -1, 64))
		}
		out = append(out, "since="+strings.Join(all, ","))
	}
	if b.Data != "" {
		out = append(out, "data="+b.Data)
	}
	for _, s := range b.Shares {
		mode := "rw"
		if s.ReadOnly {
			mode = "ro"
		}
		out = append(out, fmt.Sprintf("share=%s,%s,%s", s.Tag, s.Dir, mode))
	}
	if b.Net.Name != "" {
		out = append(out, fmt.Sprintf("net=%s,%v,%v", b.Net.Name, b.Net.Addr, b.Net.Gateway))
	}
	if b.Name != "" {
		out = append(out, "name="+b.Name)
	}
	if b.Port != "" {
		out = append(out, "port="+b.Port)
	}
	if len(b.Exec) > 0 {
		out = append(append(out, "exec"), b.Exec...)
	}
	return out
}

// ParseBoot reads what Words wrote.
func ParseBoot(words []string) (b Boot, err error) {
	for n, w := range words {
		k, v, _ := strings.Cut(w, "=")
		switch k {
		case "root":
			if v != "ext4" && (!strings.HasPrefix(v, "/dev/") || v == "/dev/") {
				return b, fmt.Errorf("boot: %q isn't a root that this init knows", v)
			}
			if b.Root, b.Dev = true, ""; v != "ext4" {
				b.Dev = v
			}
		case "domain":
			if b.Domain, err = parseDomain(v); err != nil {
				return b, err
			}
		case "engine":
			if v != "docker" {
				return b, fmt.Errorf("boot: %q isn't an engine that this init knows", v)
			}
			b.Engine = true
		case "since":
			for t := range strings.SplitSeq(v, ",") {
				s, err := strconv.ParseFloat(t, 64)
				if err != nil || !(s >= 0 && s < 1e6) || len(b.Since) == 8 {
					return b, fmt.Errorf("boot: %q isn't some seconds", w)
				}
				b.Since = append(b.Since, time.Duration(math.Round(s*1e6))*time.Microsecond)
			}
		case "data":
			if !strings.HasPrefix(v, "/") {
				return b, fmt.Errorf("boot: data disk at %q, which is no absolute path", v)
			}
			b.Data = v
		case "share":
			s, err := parseShare(v)
			if err != nil {
				return b, err
			}
			b.Shares = append(b.Shares, s)
		case "net":
			if b.Net, err = parseNet(v); err != nil {
				return b, err
			}
		case "name":
			if v == "" {
				return b, fmt.Errorf("boot: %q names nothing", w)
			}
			b.Name = v
		case "port":
			if !strings.HasPrefix(v, "/dev/") {
				return b, fmt.Errorf("boot: %q isn't a device", w)
			}
			b.Port = v
		case "exec":
			if w != "exec" || n+1 == len(words) {
				return b, fmt.Errorf("boot: %q without a program", w)
			}
			b.Exec = words[n+1:]
			return b, nil
		default:
			return b, fmt.Errorf("boot: %q isn't a word that this init knows", w)
		}
	}
	return b, nil
}

func parseDomain(v string) (d Domain, err error) {
	parts := strings.Split(v, ",")
	if d.Type = parts[0]; len(parts) != 4 || d.Type != "pv" && d.Type != "pvh" {
		return d, fmt.Errorf("boot: domain=%s isn't pv or pvh, and three numbers", v)
	}
	for n, to := range []*int64{&d.At, &d.Config, &d.Kernel} {
		// As many bytes as a file of the lab's may have, so that no sum is too large.
		if *to, err = strconv.ParseInt(parts[n+1], 10, 64); err != nil || *to < 1 || *to > 1<<40 {
			return d, fmt.Errorf("boot: domain=%s has a %q, which isn't a number of bytes", v, parts[n+1])
		}
	}
	return d, nil
}

func parseShare(v string) (s Share, err error) {
	tag, rest, _ := strings.Cut(v, ",")
	n := strings.LastIndexByte(rest, ',') // a folder's name may hold others
	if n < 0 || tag == "" || rest[0] != '/' || rest[n:] != ",ro" && rest[n:] != ",rw" {
		return s, fmt.Errorf("boot: share=%s isn't tag,/folder,ro or rw", v)
	}
	return Share{tag, rest[:n], rest[n:] == ",ro"}, nil
}

func parseNet(v string) (n Net, err error) {
	parts := strings.Split(v, ",")
	if len(parts) != 3 || parts[0] == "" {
		return n, fmt.Errorf("boot: net=%s isn't name,address,gateway", v)
	}
	n.Name = parts[0]
	if n.Addr, err = netip.ParsePrefix(parts[1]); err != nil {
		return n, fmt.Errorf("boot: %w", err)
	}
	if n.Gateway, err = netip.ParseAddr(parts[2]); err != nil {
		return n, fmt.Errorf("boot: %w", err)
	}
	if !n.Addr.Addr().Is4() || !n.Gateway.Is4() {
		return n, fmt.Errorf("boot: net=%s isn't IPv4", v)
	}
	return n, nil
}
