package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A node is a device of the daemon's own /dev. It is a new one, with an owner and
// a mode that suit QEMU: the machine's own nodes stay whoever's they are.
type node struct {
	path string
	mode uint32
	dev  uint64
	gid  int
	host *Bind // the machine's node, where no new one may be made
}

// nodes are the devices that libvirt and QEMU need, as far as this machine has
// them. The tun device and vhost-net are libvirt's, who hands QEMU descriptors.
func (m Mounts) nodes() (out []*node, err error) {
	for _, d := range []struct {
		name string
		mode uint32
		gid  int
	}{
		{"null", 0o666, 0}, {"zero", 0o666, 0}, {"full", 0o666, 0}, {"random", 0o666, 0}, {"urandom", 0o666, 0},
		{"net/tun", 0o600, 0}, {"vhost-net", 0o600, 0}, {"kvm", 0o660, QEMUGroup()},
	} {
		// With a device hidden rather than closed, libvirt doesn't ask QEMU
		// about KVM again and again: it repeats its probing, some twenty times a
		// domain, where /dev/kvm can be accessed and QEMU said no.
		if d.name == "kvm" && !m.kvm {
			continue
		}
		n := &node{path: "/dev/" + d.name, mode: d.mode | unix.S_IFCHR, gid: d.gid}
		var st unix.Stat_t
		if err := unix.Stat(n.path, &st); err == unix.ENOENT {
			continue
		} else if err != nil {
			return nil, &os.PathError{Op: "stat", Path: n.path, Err: err}
		}
		n.dev, n.host = st.Rdev, &Bind{From: n.path, To: n.path}
		if err := n.host.open(); err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// make makes the node below a root. Where this process may not (a container
// without CAP_MKNOD), it is the machine's own, with its owner and mode.
func (n *node) make(root string) error {
	defer n.host.close()
	path := root + n.path
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	err := unix.Mknod(path, n.mode, int(n.dev))
	if errors.Is(err, unix.EPERM) {
		return n.host.attach(root)
	}
	if err != nil {
		return fmt.Errorf("make %s: %w", n.path, err)
	}
	// The mask of modes doesn't count here.
	return errors.Join(os.Chmod(path, os.FileMode(n.mode&0o777)), os.Chown(path, 0, n.gid))
}
