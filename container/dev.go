package container

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"lab/bench/launch"
)

// Device nodes are names for drivers: whoever can open /dev/sda reads the disk,
// in whichever namespace. So a container doesn't get the machine's /dev but a
// small file system with the six nodes that harm nobody, as the OCI runtime
// specification lists them, and it can't make others: it lacks CAP_MKNOD, and
// its root is mounted nodev.

var nodes = []struct {
	name         string
	major, minor uint32 // Documentation/admin-guide/devices.txt
}{
	{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
}

var links = [][2]string{
	{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
	{"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"}, {"/proc/kcore", "core"},
}

// The file systems inside /dev.
var devMounts = []struct {
	name, kind string
	attr       int
	options    []option
}{
	// An instance of its own: terminals made inside are numbered from 0, and
	// the machine's can't be named. Group 5 is tty in every distribution.
	{"pts", "devpts", unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC,
		[]option{{"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}}},
	{"shm", "tmpfs", unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC,
		[]option{{"mode", "1777"}, {"size", "64m"}}},
	// Shows the POSIX message queues of the IPC namespace it is mounted in.
	{"mqueue", "mqueue", unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC, nil},
}

// makeDev makes /dev. It is complete before it is attached: until then no path
// leads to it, so nobody can put a link where a node or a mount will be
// (CVE-2025-31133, CVE-2025-52565).
func (c *container) makeDev(t *launch.Thread) error {
	at, err := c.folder(t, "dev")
	if err != nil {
		return err
	}
	dev, err := newFS("tmpfs", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC, option{"mode", "755"}, option{"size", "64k"})
	if err != nil {
		return err
	}
	keep(t, dev, "dev")
	c.dev = dev
	for _, n := range nodes {
		if err := unix.Mknodat(dev, n.name, unix.S_IFCHR|0o666, int(unix.Mkdev(n.major, n.minor))); err != nil {
			return fmt.Errorf("make node %s: %w", n.name, err)
		}
	}
	for _, l := range links {
		if err := unix.Symlinkat(l[0], dev, l[1]); err != nil {
			return fmt.Errorf("make link %s: %w", l[1], err)
		}
	}
	for _, m := range devMounts {
		if err := unix.Mkdirat(dev, m.name, 0o755); err != nil {
			return fmt.Errorf("make folder %s: %w", m.name, err)
		}
	}
	if err := attach(dev, at); err != nil {
		return err
	}
	for _, m := range devMounts {
		fd, err := newFS(m.kind, m.attr, m.options...)
		if err != nil {
			return err
		}
		on, err := below(dev, m.name, unix.O_PATH|unix.O_DIRECTORY)
		if err == nil {
			err = attach(fd, on)
			unix.Close(on)
		}
		unix.Close(fd)
		if err != nil {
			return fmt.Errorf("mount %s: %w", m.name, err)
		}
	}
	return c.cover(t, dev)
}

// terminal makes a terminal in the container's own devpts, so that its name
// inside (tty(1) prints /dev/pts/0) is right.
func (c *container) terminal() (master, slave *os.File, err error) {
	return launch.OpenTerminal(c.dev, "pts/ptmx")
}
