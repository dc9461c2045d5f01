package machine

import (
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"lab/bench/launch"
	"lab/bench/testbed/nat"
)

// The functions in this file try what environments do, for real, on a thread
// that dies afterwards: the kernel frees the thread's namespaces, and with them
// every mount and link, however the trial ended.

// namespaces are the kinds that environments are made of.
var namespaces = []struct {
	name  string
	flags int
	what  string // what it keeps apart
	root  bool   // needs root
	need  string // what is lost without it
}{
	{"mnt", unix.CLONE_NEWNS, "mounts", true, "the container needs it"},
	{"pid", unix.CLONE_NEWPID, "processes", true, "the container needs it"},
	{"net", unix.CLONE_NEWNET, "network devices and ports", true, "the container needs it"},
	{"uts", unix.CLONE_NEWUTS, "the host name", true, "the container needs it"},
	{"ipc", unix.CLONE_NEWIPC, "shared memory and message queues", true, "the container needs it"},
	{"cgroup", unix.CLONE_NEWCGROUP, "the view of cgroups", true, "the container needs it"},
	{"user", unix.CLONE_NEWUSER, "user numbers: root inside is nobody outside", true, "needed for user=yes"},
	{"time", unix.CLONE_NEWTIME, "the clocks that count from boot", true, "needed for time=yes"},
}

// errOldTime is a kernel that has time namespaces, and doesn't move a child
// into one that was made by vfork.
var errOldTime = errors.New("this kernel moves no vforked child into one when it executes")

// tryNamespace makes a namespace and leaves it.
func tryNamespace(flag int, release string) error {
	switch flag {
	case unix.CLONE_NEWUSER:
		// user_namespaces(7): a process of several threads can't unshare one,
		// and Go's have several. A child is born in one, as it is for a container.
		return withUsers(func(int) error { return nil })
	case unix.CLONE_NEWTIME:
		var major, minor int
		if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err == nil && (major < 6 || major == 6 && minor < 2) {
			return errOldTime
		}
	}
	return launch.Do(func() error { return unix.Unshare(flag) })
}

// withUsers calls f while a process holds a user namespace.
func withUsers(f func(pid int) error) error {
	return launch.Do(func() error {
		h, err := launch.Hold(unix.CLONE_NEWUSER)
		if err != nil {
			return err
		}
		defer h.Close()
		return f(h.PID)
	})
}

// tryIDMap shows a folder with other owners, as a container with users of its
// own sees the image.
func tryIDMap(dir string) error {
	return withUsers(func(pid int) error {
		proc := fmt.Sprintf("/proc/%d", pid)
		for _, name := range []string{"/uid_map", "/gid_map"} {
			if err := os.WriteFile(proc+name, []byte("0 65536 65536\n"), 0); err != nil {
				return err
			}
		}
		ns, err := os.Open(proc + "/ns/user")
		if err != nil {
			return err
		}
		defer ns.Close()
		fd, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(ns.Fd())})
	})
}

// tryOverlay mounts an overlay, as a container's root is one.
func tryOverlay() error {
	return launch.Do(func() error {
		dir, err := privateTmpfs()
		if err != nil {
			return err
		}
		for _, d := range []string{"lower", "upper", "work", "root"} {
			if err := os.Mkdir(dir+"/"+d, 0o755); err != nil {
				return err
			}
		}
		options := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", dir)
		return unix.Mount("overlay", dir+"/root", "overlay", 0, options)
	})
}

// privateTmpfs mounts a tmpfs that only this thread sees, over a folder that
// every machine has.
func privateTmpfs() (dir string, err error) {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return "", err
	}
	// Else the mount would appear in the namespace that this one is a copy of
	// (mount_namespaces(7), shared subtrees): systemd makes all mounts shared.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return "", err
	}
	dir = os.TempDir()
	return dir, unix.Mount("lab", dir, "tmpfs", 0, "mode=0700")
}

// tryMountAPI makes a detached mount, and makes that read-only (Linux 5.12).
func tryMountAPI() error {
	return launch.Do(func() error {
		fd, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.FsconfigCreate(fd); err != nil {
			return err
		}
		m, err := unix.Fsmount(fd, unix.FSMOUNT_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(m)
		return unix.MountSetattr(m, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	})
}

// tryNetwork makes a bridge and a veth pair on it, in a network of its own.
func tryNetwork() error {
	return launch.Do(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE) // of this thread's namespace
		if err != nil {
			return err
		}
		defer h.Close()
		bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "lab0"}}
		if err := h.LinkAdd(bridge); err != nil {
			return fmt.Errorf("bridge: %w", err)
		}
		veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "lab1", MasterIndex: bridge.Index}, PeerName: "lab2"}
		if err := h.LinkAdd(veth); err != nil {
			return fmt.Errorf("veth: %w", err)
		}
		return nil
	})
}

// tryNAT makes the rules of a published port, in a network of its own.
func tryNAT() error {
	return launch.Do(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		return nat.Try()
	})
}

// tryTap opens the device that a virtual machine's network card is made of.
func tryTap() error {
	f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return errors.Unwrap(err)
	}
	return f.Close()
}
