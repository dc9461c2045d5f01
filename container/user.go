package container

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/launch"
)

// A user namespace has users of its own: a table says which number outside
// each one inside stands for. Here 0 to 65535 inside are a range of numbers
// that nobody has outside, so that root of the container is nobody to
// everything else on the machine, whatever hole it finds: its capabilities
// count for what belongs to its namespace, and for nothing else
// (user_namespaces(7)). It is the container's strongest wall, and none of the
// engines builds it by default: all that is stored has owners, and they have to
// be translated as well.
//
// Three things make it another way than the rest of this package:
//
//   - Its table is written from outside, by a process that is there already;
//     and no thread of a Go program can enter it, as it would be in another one
//     than its siblings. So a process is born in it that only holds it open
//     (launch.Holder), together with the namespaces that it is to own.
//   - The thread stays the machine's root, joins those, and makes all mounts as
//     ever, with the new owners. It is the child that goes in, as its last
//     change but one, and there takes a copy of the mounts that is its own.
//   - The image's files belong to the image's users. They are shown with the
//     table applied, by the mount through which they are seen (an idmapped
//     mount, mount_setattr(2)). Nothing is copied, nothing changes its owner.
//
// One namespace isn't owned by it, the PID namespace: it comes with the birth
// of a child that is root outside still, as it has /proc to mount. Volumes are
// not translated: their files belong to whom they belong outside, and that is
// nobody inside, but for what the world may do. Otherwise root inside could
// leave programs there that make anybody root outside.

// ids is how many users there are inside: all that 16 bits can name.
const ids = 1 << 16

// The ranges that systemd sets aside for containers (systemd.io/UIDS-GIDS).
const firstID, lastID = 0x0008_0000, 0x6fff_ffff

// newRange picks one. Two containers may get the same, which is what the
// engines do with all of theirs.
func newRange() int { return firstID + ids*rand.IntN((lastID+1-firstID)/ids) }

// mapped says whether there is a user namespace.
func (c *container) mapped() bool { return c.spec.Settings["user"] == "yes" }

// own gives a file that the thread made, or the mount that dir is open on where
// name is empty, to the container's root.
func (c *container) own(dir int, name string) error {
	if !c.mapped() {
		return nil
	}
	err := unix.Fchownat(dir, name, c.base, c.base, unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH)
	if err != nil {
		return &os.PathError{Op: "chown", Path: name, Err: err}
	}
	return nil
}

// newUsers makes a user namespace, with further ones that it owns, and its
// table. Whoever calls it closes both results.
func newUsers(base, flags int) (*launch.Holder, *os.File, error) {
	h, err := launch.Hold(uintptr(unix.CLONE_NEWUSER | flags))
	if err != nil {
		return nil, nil, fmt.Errorf("make a user namespace: %w", err)
	}
	proc := "/proc/" + strconv.Itoa(h.PID)
	table := fmt.Appendf(nil, "0 %d %d\n", base, ids)
	for _, name := range []string{"/uid_map", "/gid_map"} {
		if err := os.WriteFile(proc+name, table, 0); err != nil {
			h.Close()
			return nil, nil, fmt.Errorf("write the table of users: %w", err)
		}
	}
	ns, err := os.Open(proc + "/ns/user")
	if err != nil {
		h.Close()
		return nil, nil, err
	}
	return h, ns, nil
}

// makeUsers makes the user namespace, and moves the thread into those that it
// owns. The thread's own mounts stay the machine's.
func (c *container) makeUsers(t *launch.Thread, flags int) error {
	h, ns, err := newUsers(c.base, flags)
	if err != nil {
		return err
	}
	defer h.Close()
	t.Keep(ns)
	c.users = int(ns.Fd())
	if flags != 0 {
		pidfd, err := unix.PidfdOpen(h.PID, 0)
		if err != nil {
			return os.NewSyscallError("pidfd_open", err)
		}
		defer unix.Close(pidfd)
		if err := unix.Setns(pidfd, flags); err != nil {
			return os.NewSyscallError("setns", err)
		}
	}
	// The child will be in there with the lab's memory, until it executes, and
	// so would be traced by whoever is root there already.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return os.NewSyscallError("make the lab not dumpable", err)
	}
	return c.ownPipes()
}

// shift clones a mount so that its files have the container's owners.
func (c *container) shift(dir int, attr uint64) (int, error) { return shift(dir, c.users, attr) }

func shift(dir, users int, attr uint64) (int, error) {
	fd, err := clone(dir, "")
	if err != nil {
		return -1, fmt.Errorf("the image: %w", err)
	}
	a := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP | attr, Propagation: unix.MS_PRIVATE, Userns_fd: uint64(users)}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, a); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("show the image with other owners: %w", err)
	}
	return fd, nil
}

// ownPipes lets the program open its own output anew, by the name /dev/stdout:
// a pipe belongs to whoever made it. Files with a name keep their owner.
func (c *container) ownPipes() error {
	cmd := &c.spec.Command
	for _, f := range []*os.File{cmd.Stdin, cmd.Stdout, cmd.Stderr, c.Ready()} {
		if f == nil || f == launch.Null {
			continue
		}
		var st unix.Statfs_t
		if err := unix.Fstatfs(int(f.Fd()), &st); err != nil || st.Type != unix.PIPEFS_MAGIC {
			continue
		}
		u := cmd.User
		if err := unix.Fchown(int(f.Fd()), c.base+int(u.UID), c.base+int(u.GID)); err != nil {
			return os.NewSyscallError("fchown", err)
		}
	}
	return nil
}

// becomeRoot has the child enter the user namespace, as its root, and lose what
// root inside isn't to have. To enter it gives all capabilities in it, and a
// new bounding set.
func (c *container) becomeRoot(tape *launch.Tape, users int) {
	tape.Call("join the user namespace", unix.SYS_SETNS, users, unix.CLONE_NEWUSER)
	tape.Call("set groups", unix.SYS_SETGROUPS, 0, 0)
	tape.Call("set group", unix.SYS_SETRESGID, 0, 0, 0)
	tape.Call("set user", unix.SYS_SETRESUID, 0, 0, 0)
	if c.spec.Settings["caps"] == "all" {
		return
	}
	for _, n := range dropped() {
		tape.Call("drop a capability", unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, n, 0, 0, 0)
	}
	tape.Call("set no_new_privs", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

// checkUsers tries a user namespace, and the image in it.
func checkUsers(s bench.Spec) error {
	if u := s.Command.User; u.UID >= ids || u.GID >= ids {
		return bench.NotApplicable(fmt.Sprintf("user=yes has the users 0 to %d, and %d:%d isn't one", ids-1, u.UID, u.GID), "use a smaller number, or --variant user=no")
	}
	return launch.Do(func() error {
		h, ns, err := newUsers(firstID, 0)
		if err != nil {
			return bench.Unavailable(err.Error(), "sysctl -w user.max_user_namespaces=15000, or use a kernel with CONFIG_USER_NS, or --variant user=no")
		}
		defer h.Close()
		defer ns.Close()
		if s.Image.Dir == "" {
			return nil
		}
		dir, err := unix.Open(s.Image.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil // Start says so
		}
		defer unix.Close(dir)
		fd, err := shift(dir, int(ns.Fd()), 0)
		if err != nil {
			return bench.Unavailable(err.Error(), "use Linux 5.19 or later with the image on ext4, xfs or btrfs (LAB_CACHE names another folder), or --variant user=no")
		}
		return unix.Close(fd)
	})
}
