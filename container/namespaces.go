package container

import (
	"os"

	"golang.org/x/sys/unix"

	"lab/bench/launch"
)

// A namespace is one kind of thing that the kernel has several sets of: mounts,
// PIDs, network devices, host names, System V queues, cgroup roots. A process
// sees, and can name, only what is in the sets that it belongs to
// (namespaces(7)). Every process on a machine is in a namespace of each kind; a
// container's process is in its own ones, and that is all that "being in a
// container" means.

// Hostname is the name that a container with a UTS namespace has, unless the
// Spec names another.
const Hostname = "lab"

// unshare moves the calling thread into new namespaces. Only this thread: in
// Linux they belong to threads.
func (c *container) unshare(t *launch.Thread) error {
	flags := 0
	if c.on("ipc") {
		flags |= unix.CLONE_NEWIPC
	}
	if c.on("uts") {
		flags |= unix.CLONE_NEWUTS
	}
	if c.spec.Settings["net"] != "host" {
		flags |= unix.CLONE_NEWNET
	}
	if c.timed() {
		var err error
		if c.hostProc, err = openProc(t); err != nil {
			return err
		}
		if c.offsets, err = timeOffsets(); err != nil {
			return err
		}
	}
	if c.mapped() {
		// Those are to belong to the user namespace: made with it, joined here.
		if err := c.makeUsers(t, flags); err != nil {
			return err
		}
		flags = 0
	}
	// CLONE_NEWNS implies CLONE_FS: root, working folder and umask are the
	// thread's own from here on.
	if err := unix.Unshare(unix.CLONE_NEWNS | flags); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	unix.Umask(0)
	if c.on("uts") {
		name := c.spec.Hostname
		if name == "" {
			name = Hostname
		}
		if err := unix.Sethostname([]byte(name)); err != nil {
			return os.NewSyscallError("sethostname", err)
		}
	}
	// The new mount namespace is a copy, whose mounts are still peers of the
	// originals: what is mounted here would appear there. Slaves only
	// receive (mount_namespaces(7), "SHARED SUBTREES").
	return os.NewSyscallError("make mounts slaves", unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""))
}

// leave brings the thread back to the lab's own namespaces; see launch.Home.
func (c *container) leave() {
	launch.Home(unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET)
}
