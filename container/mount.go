package container

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/launch"
)

// There are two ways to mount. The old one, mount(2), takes the path at which
// the file system is to appear, as text. The new one (Linux 5.2, and
// 5.12 for all that is used here) takes it
// apart: make a file system, set its options, get a descriptor of a mount that
// is nowhere yet, and then attach that to a folder, which can be a descriptor
// too. A container's root is full of paths that somebody else has chosen, so
// the new one is used throughout.

// An option is a mount option, "size=64k" as {"size", "64k"}; without a value
// it is a flag.
type option struct{ key, value string }

// newFS makes a file system, and returns a descriptor of a mount of it that is
// attached nowhere. attr are MOUNT_ATTR_ flags.
func newFS(kind string, attr int, options ...option) (mount int, err error) {
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("fsopen %s: %w", kind, err)
	}
	defer unix.Close(fs)
	for _, o := range options {
		if o.value == "" {
			err = unix.FsconfigSetFlag(fs, o.key)
		} else {
			err = unix.FsconfigSetString(fs, o.key, o.value)
		}
		if err != nil {
			return -1, fmt.Errorf("%s: option %s=%s: %w%s", kind, o.key, o.value, err, complaint(fs))
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, fmt.Errorf("make %s: %w%s", kind, err, complaint(fs))
	}
	mount, err = unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, attr)
	if err != nil {
		return -1, fmt.Errorf("fsmount %s: %w", kind, err)
	}
	return mount, nil
}

// complaint reads what the kernel has to say about a file system that it
// wouldn't make: one message a read (fsopen(2)).
func complaint(fs int) string {
	var b [512]byte
	n, err := unix.Read(fs, b[:])
	if err != nil || n <= 2 {
		return ""
	}
	return " (" + strings.TrimSpace(string(b[2:n])) + ")"
}

// attach puts a mount on the folder or file that at is open on.
func attach(mount, at int) error {
	err := unix.MoveMount(mount, "", at, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
	return os.NewSyscallError("move_mount", err)
}

// below opens name below the folder that dir is open on. No symbolic link is
// followed, nowhere on the way: not one that leads out, and not one that
// leads to another place inside, which would put a mount where nobody looks
// for it (CVE-2021-30465, CVE-2025-52881).
func below(dir int, name string, flags int) (int, error) {
	return openat2(dir, name, &unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC | unix.O_NOFOLLOW),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
}

func openat2(dir int, name string, how *unix.OpenHow) (int, error) {
	for {
		fd, err := unix.Openat2(dir, name, how)
		// EAGAIN: somebody renamed something on the way (openat2(2)).
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil {
			return -1, &os.PathError{Op: "open", Path: name, Err: err}
		}
		return fd, nil
	}
}

// folder opens the folder name at the top of the image's root, and makes it
// where the image has none. A link in its place is the image's fault.
func (c *container) folder(t *launch.Thread, name string) (int, error) {
	const flags = unix.O_PATH | unix.O_DIRECTORY
	fd, err := below(c.root, name, flags)
	if errors.Is(err, unix.ENOENT) {
		if err := unix.Mkdirat(c.root, name, 0o755); err != nil && err != unix.EEXIST {
			return -1, fmt.Errorf("the image has no folder /%s, and it can't be made: %w", name, err)
		}
		if err := c.own(c.root, name); err != nil {
			return -1, err
		}
		fd, err = below(c.root, name, flags)
	}
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
		return -1, bench.Blamed(bench.BlameWorkload, fmt.Errorf("the image's /%s isn't a folder, and nothing is mounted through a link: %w", name, err))
	}
	if err != nil {
		return -1, err
	}
	keep(t, fd, name)
	return fd, nil
}

// keep leaves a descriptor to the process, which closes it once the program executes.
func keep(t *launch.Thread, fd int, name string) {
	t.Keep(os.NewFile(uintptr(fd), name))
}
