package client

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/user"
	"strings"

	"github.com/digitalocean/go-libvirt"
	"github.com/digitalocean/go-libvirt/socket"
	"github.com/digitalocean/go-libvirt/socket/dialers"

	"lab/bench/crew"
)

// A Target is a libvirt that isn't the lab's own, as virsh's --connect names it.
type Target struct {
	// Name is what of the URI may stand in results: scheme, transport and path;
	// not the host, not the user.
	Name string
	// Driver is what the daemon there is asked for: qemu:///system.
	Driver string

	dialer socket.Dialer
}

// ParseTarget reads a libvirt URI: qemu:///system, qemu+unix:///system?socket=…,
// qemu+tls://host/system?pkipath=…, qemu+ssh://user@host/system?keyfile=…,
// qemu+libssh://…. An error is the user's.
func ParseTarget(uri string) (*Target, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	driver, transport, _ := strings.Cut(u.Scheme, "+")
	switch {
	case driver != "qemu" && driver != "xen" && driver != "vbox": // those two are rows that say why not
		return nil, fmt.Errorf("connect: %q: the lab's guests are QEMU's: qemu:///system, qemu+tls://HOST/system, qemu+ssh://USER@HOST/system", uri)
	case u.Path == "" || u.Path == "/":
		return nil, fmt.Errorf("connect: %q has no path; most have /system", uri)
	case transport == "" && u.Host == "":
		transport = "unix"
	case transport == "":
		transport = "tls"
	}
	t := &Target{Name: driver + "+" + transport + "://" + u.Path, Driver: string(libvirt.RemoteURI(u))}
	q := u.Query()
	switch transport {
	case "unix":
		var o []dialers.LocalOption
		if s := q.Get("socket"); s != "" {
			o = append(o, dialers.WithSocket(s))
		}
		t.dialer = dialers.NewLocal(o...)
	case "tls":
		var o []dialers.TLSOption
		if p := u.Port(); p != "" {
			o = append(o, dialers.UseTLSPort(p))
		}
		if p := q.Get("pkipath"); p != "" {
			o = append(o, dialers.UsePKIPath(p))
		}
		if unverified(q) {
			o = append(o, dialers.WithInsecureNoVerify())
		}
		t.dialer = dialers.NewTLS(u.Hostname(), o...)
	case "ssh", "libssh", "libssh2":
		o, err := sshOptions(u, transport)
		if err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
		t.dialer = dialers.NewSSH(u.Hostname(), o...)
	default:
		return nil, fmt.Errorf("connect: transport %q: there are unix, tls, ssh, libssh", transport)
	}
	if transport != "unix" && u.Hostname() == "" {
		return nil, fmt.Errorf("connect: %q names no host", uri)
	}
	return t, nil
}

func sshOptions(u *url.URL, transport string) (o []dialers.SSHOption, err error) {
	if transport == "ssh" { // the system's ssh keeps its known hosts elsewhere than libssh
		me, err := user.Current()
		if err != nil {
			return nil, err
		}
		o = append(o, dialers.WithSystemSSHDefaults(me))
	}
	if p := u.Port(); p != "" {
		o = append(o, dialers.UseSSHPort(p))
	}
	if n := u.User.Username(); n != "" {
		o = append(o, dialers.UseSSHUsername(n))
	}
	if _, ok := u.User.Password(); ok {
		return nil, errors.New("a password in a URI is seen by everybody who lists processes; use a key")
	}
	q := u.Query()
	for name, option := range map[string]func(string) dialers.SSHOption{
		"socket": dialers.WithRemoteSocket, "keyfile": dialers.UseKeyFile, "known_hosts": dialers.UseKnownHostsFile,
	} {
		if v := q.Get(name); v != "" {
			o = append(o, option(v))
		}
	}
	if unverified(q) {
		o = append(o, dialers.WithInsecureIgnoreHostKey())
	}
	return o, nil
}

func unverified(q url.Values) bool { return q.Get("no_verify") == "1" }

// Dial opens a new connection.
func (t *Target) Dial() (net.Conn, error) {
	c, err := t.dialer.Dial()
	if err != nil {
		if errors.Is(err, os.ErrNotExist) && strings.HasPrefix(t.Name, "qemu+unix") {
			err = fmt.Errorf("%w; is the daemon running? name its socket with ?socket=PATH", err)
		}
		return nil, fmt.Errorf("connect to %s: %w", t.Name, err)
	}
	return c, nil
}

// Passage is how a worker, which has neither the machine's network nor the
// user's keys, gets connections that dial opens in its supervisor.
func Passage(dial func() (net.Conn, error)) *crew.Passage {
	return &crew.Passage{Dial: dial, Copy: copyPackets}
}

// maxPacket bounds a packet of libvirt's (virnetprotocol.x: 32 MiB, its length
// and some room).
const maxPacket = 32<<20 + 4<<10

// copyPackets hands packets on, each in a write of its own. libvirt's daemon
// reads a packet and then waits for its socket: what follows in the same TLS
// record it would find with the next packet, which may never come.
func copyPackets(to io.Writer, from io.Reader) error {
	r := bufio.NewReaderSize(from, 64<<10)
	for {
		head, err := r.Peek(4)
		if err != nil {
			return err
		}
		n := binary.BigEndian.Uint32(head)
		if n < 4 || n > maxPacket {
			return fmt.Errorf("libvirt: a packet of %d bytes", n)
		}
		p := make([]byte, n)
		if _, err := io.ReadFull(r, p); err != nil {
			return err
		}
		if _, err := to.Write(p); err != nil {
			return err
		}
	}
}
