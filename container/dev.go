package container

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

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

// ttyGroup is who may write to a terminal beside its owner: the group called tty
// in every distribution.
const ttyGroup = 5

// The file systems inside /dev.
var devMounts = []struct {
	name, kind string
	attr       int
	options    []option
}{
	// An instance of its own: terminals made inside are numbered from 0, and
	// the machine's can't be named.
	{"pts", "devpts", unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC,
		[]option{{"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", strconv.Itoa(ttyGroup)}}},
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
	dev, err := c.part(t, "dev", 0o755, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return err
	}
	if err := c.own(dev, ""); err != nil {
		return err
	}
	c.dev = dev
	for _, n := range nodes {
		if err := unix.Mknodat(dev, n.name, unix.S_IFCHR|0o666, int(unix.Mkdev(n.major, n.minor))); err != nil {
			return fmt.Errorf("make node %s: %w", n.name, err)
		}
		if err := c.own(dev, n.name); err != nil {
			return err
		}
	}
	for _, l := range links {
		if err := unix.Symlinkat(l[0], dev, l[1]); err != nil {
			return fmt.Errorf("make link %s: %w", l[1], err)
		}
		if err := c.own(dev, l[1]); err != nil {
			return err
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
		fd, err := c.devMount(m.kind, m.attr, m.options)
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
	return nil
}

// devMount makes one of them, for the container's own users.
func (c *container) devMount(kind string, attr int, options []option) (fd int, err error) {
	if c.mapped() && kind == "devpts" {
		options = append(slices.Clone(options), option{"gid", strconv.Itoa(c.base + ttyGroup)})
	}
	if fd, err = newFS(kind, attr, options...); err != nil || !c.mapped() {
		return fd, err
	}
	switch kind {
	case "mqueue":
		// Its top belongs to the user who made the IPC namespace, who isn't
		// one of the container's, for good. It is of no matter: as in a
		// folder for temporary files, everybody may make a queue.
	case "devpts":
		err = errors.Join(c.own(fd, ""), c.own(fd, "ptmx"))
	default:
		err = c.own(fd, "")
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// openNull opens a null device of the container's own: that of its /dev, as long
// as nobody put something else in its place.
func openNull(dir int, name string) *os.File {
	fd, err := unix.Openat(dir, name, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), os.DevNull)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3) {
		f.Close()
		return nil
	}
	unix.SetNonblock(fd, false)
	return f
}

// terminal makes a terminal in the container's own devpts, so that its name
// inside (tty(1) prints /dev/pts/0) is right.
func (c *container) terminal() (master, slave *os.File, err error) {
	return c.openTerminal(c.dev, "pts/ptmx")
}

func (c *container) openTerminal(dir int, ptmx string) (master, slave *os.File, err error) {
	if master, slave, err = launch.OpenTerminal(dir, ptmx); err != nil {
		return nil, nil, err
	}
	if c.mapped() {
		if err := slave.Chown(c.base, c.base+ttyGroup); err != nil {
			return nil, nil, errors.Join(err, master.Close(), slave.Close())
		}
	}
	return master, slave, nil
}
