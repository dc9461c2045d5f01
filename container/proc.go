package container

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench/confine"
	"lab/bench/launch"
)

// /proc and /sys are the kernel's own state, shown as files. Some of it is
// per namespace (processes, network devices), and some is the whole machine's:
// the memory as a file, the kernel's keys, the switch that reboots it. The
// latter is hidden or made read-only, as the well-known engines do by default:
// package confine lists what.

// A mask is a mount, attached nowhere yet, that will hide a path below /proc.
type mask struct {
	path  string
	mount int
}

// cover prepares the masks of /proc. It is called on the thread, where the
// lab's own /proc is still there: both show the same kernel, so what exists
// here exists inside. The empty file is a node of the new /dev that the thread
// itself has made; the image's idea of /dev/null is never asked
// (CVE-2025-31133).
func (c *container) cover(t *launch.Thread) error {
	for _, p := range confine.ReadOnly {
		if exists("/proc/" + p) {
			c.locked = append(c.locked, p)
		}
	}
	hide := func(paths []string, mount func() (int, error)) error {
		for _, p := range paths {
			if !exists("/proc/" + p) {
				continue
			}
			fd, err := mount()
			if err != nil {
				return fmt.Errorf("prepare a cover for /proc/%s: %w", p, err)
			}
			keep(t, fd, "mask")
			c.hidden = append(c.hidden, mask{p, fd})
		}
		return nil
	}
	if err := hide(confine.HiddenFiles, func() (int, error) { return clone(c.dev, "null") }); err != nil {
		return err
	}
	return hide(confine.HiddenFolders, func() (int, error) {
		if c.empty == 0 {
			if err := c.hide(t, c.proc); err != nil {
				return -1, err
			}
		}
		return clone(c.empty, "")
	})
}

// clone returns another mount of what is at name below dir, or of dir where name
// is empty. Before Linux 6.15 only what is attached in the caller's own mount
// namespace can be cloned (may_copy_tree in the kernel's fs/namespace.c).
func clone(dir int, name string) (int, error) {
	fd, err := unix.OpenTree(dir, name, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return -1, fmt.Errorf("clone a mount: %w", err)
	}
	return fd, nil
}

// hide puts an empty read-only folder over the one that at is open on.
func (c *container) hide(t *launch.Thread, at int) error {
	if c.empty != 0 {
		fd, err := clone(c.empty, "")
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return attach(fd, at)
	}
	fd, err := c.part(t, "empty", 0o555, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return err
	}
	c.empty = fd
	return attach(fd, at)
}

func exists(name string) bool {
	var st unix.Stat_t
	return unix.Lstat(name, &st) == nil
}

// mountProc has the child mount /proc. Only the child can: a proc file system
// shows the PID namespace of whoever makes it, and the thread isn't in the new
// one (a thread never changes its own, unshare(2)).
func (c *container) mountProc(tape *launch.Tape) {
	const (
		fs launch.Reg = iota
		proc
		tree
	)
	const nosuid = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	tape.CallTo(fs, "fsopen", unix.SYS_FSOPEN, "proc", unix.FSOPEN_CLOEXEC)
	tape.Call("make proc", unix.SYS_FSCONFIG, fs, unix.FSCONFIG_CMD_CREATE, 0, 0, 0)
	tape.CallTo(proc, "fsmount proc", unix.SYS_FSMOUNT, fs, unix.FSMOUNT_CLOEXEC, nosuid)
	tape.Call("mount /proc", unix.SYS_MOVE_MOUNT, proc, "", c.proc, "",
		unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
	if c.spec.Settings["net"] != "host" {
		pingGroups(tape, proc, tree)
	}
	for _, m := range c.hidden {
		tape.Call("hide /proc/"+m.path, unix.SYS_MOVE_MOUNT, m.mount, "", proc, m.path, unix.MOVE_MOUNT_F_EMPTY_PATH)
	}
	readOnly := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	for _, p := range c.locked {
		tape.CallTo(tree, "clone /proc/"+p, unix.SYS_OPEN_TREE, proc, p, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		tape.Call("make read-only /proc/"+p, unix.SYS_MOUNT_SETATTR, tree, "", unix.AT_EMPTY_PATH,
			unsafe.Pointer(readOnly), unsafe.Sizeof(*readOnly))
		tape.Call("mount /proc/"+p, unix.SYS_MOVE_MOUNT, tree, "", proc, p, unix.MOVE_MOUNT_F_EMPTY_PATH)
		tape.Call("close", unix.SYS_CLOSE, tree)
	}
}

// makeSys mounts /sys, which shows the network devices of the namespace that
// it is made in, read-only; and opens the folder that /proc will be on, while
// the root is still below a folder of the host, with what will cover parts of it.
func (c *container) makeSys(t *launch.Thread) (err error) {
	if c.proc, err = c.folder(t, "proc"); err != nil {
		return err
	}
	// What an image has below /proc would be seen while the program is looked
	// up, and not when it is executed.
	if err := c.hideContents(t, c.proc); err != nil {
		return fmt.Errorf("hide what the image has in /proc: %w", err)
	}
	at, err := c.folder(t, "sys")
	if err != nil {
		return err
	}
	sys, err := newFS("sysfs", unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(sys)
	if err := attach(sys, at); err != nil {
		return err
	}
	for _, p := range confine.HiddenSys {
		fd, err := below(sys, p, unix.O_PATH|unix.O_DIRECTORY)
		if err != nil {
			continue // this kernel hasn't got it
		}
		err = c.hide(t, fd)
		unix.Close(fd)
		if err != nil {
			return fmt.Errorf("hide /sys/%s: %w", p, err)
		}
	}
	return c.cover(t)
}

// hideContents puts an empty folder over one that isn't empty.
func (c *container) hideContents(t *launch.Thread, dir int) error {
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var buf [1024]byte
	n, err := unix.ReadDirent(fd, buf[:])
	if err != nil {
		return err
	}
	_, entries, _ := unix.ParseDirent(buf[:n], 1, nil) // without . and ..
	if entries == 0 {
		return nil
	}
	return c.hide(t, dir)
}
