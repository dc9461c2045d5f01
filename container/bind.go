package container

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/launch"
)

// A bind mount shows a folder or file of the host at a second place, inside: no
// copy is made, and both sides see each other's writes.

// bind attaches the volumes, in the order in which they are given.
func (c *container) bind(t *launch.Thread) error {
	mounts := c.spec.Mounts
	if c.bound() {
		dir := filepath.Join(c.layer, "data")
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := c.own(unix.AT_FDCWD, dir); err != nil {
			return err
		}
		mounts = append(slices.Clone(mounts), bench.Mount{Source: dir, Target: dataDir})
	}
	for _, m := range mounts {
		if err := c.bindOne(m); err != nil {
			return fmt.Errorf("%s at %s: %w", m.Source, m.Target, err)
		}
	}
	return nil
}

func (c *container) bindOne(m bench.Mount) error {
	src, err := unix.OpenTree(unix.AT_FDCWD, m.Source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return fmt.Errorf("clone its mount: %w", err)
	}
	defer unix.Close(src)
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV, Propagation: unix.MS_PRIVATE}
	if m.ReadOnly {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	if err := unix.MountSetattr(src, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, attr); err != nil {
		return fmt.Errorf("set its attributes: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(src, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	dir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	at, err := c.target(m.Target, dir)
	if errors.Is(err, unix.ENOTDIR) {
		return fmt.Errorf("%w; fix: a target that is a folder, or doesn't exist yet", err)
	}
	if err != nil {
		return err
	}
	defer unix.Close(at)
	if err := unix.Fstat(at, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if !dir && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		fix := path.Join(m.Target, filepath.Base(m.Source))
		return bench.Blamed(bench.BlameWorkload, fmt.Errorf("a file can't be shown in place of a folder; fix: %s as the target", fix))
	}
	return attach(src, at)
}

// target opens the place a volume goes to. Links on the way are followed as a
// program inside would follow them: the container's root is where they begin,
// and no ".." leads out of it. What they come to is opened once, and it is that
// which is mounted on, whatever becomes of the path meanwhile.
//
// What is missing is made: folders on the way, and at the end a folder or an
// empty file; not the target of a link that leads nowhere. Below a volume that
// is mounted already this makes it on the host, as it does everywhere else.
func (c *container) target(name string, dir bool) (int, error) {
	name = path.Clean("/" + name)
	flags := unix.O_PATH
	if dir {
		flags |= unix.O_DIRECTORY
	}
	fd, err := inRoot(c.root, name, flags)
	if errors.Is(err, unix.ENOENT) {
		fd, err = c.makeTarget(name, dir, flags)
	}
	if err != nil {
		return -1, bench.Blamed(bench.BlameWorkload, err)
	}
	if err := c.mayCover(fd); err != nil {
		unix.Close(fd)
		return -1, bench.Blamed(bench.BlameWorkload, err)
	}
	return fd, nil
}

// makeTarget makes what is missing of a path.
func (c *container) makeTarget(name string, dir bool, flags int) (int, error) {
	parts := strings.Split(name[1:], "/")
	there := len(parts) - 1 // so many of them are
	at, err := -1, error(nil)
	for ; ; there-- {
		at, err = inRoot(c.root, "/"+path.Join(parts[:there]...), unix.O_PATH|unix.O_DIRECTORY)
		if err == nil || there == 0 || !errors.Is(err, unix.ENOENT) {
			break
		}
	}
	if err != nil {
		return -1, err
	}
	for i, p := range parts[there:] {
		last := there+i == len(parts)-1
		want := flags
		if !last {
			want = unix.O_PATH | unix.O_DIRECTORY
		}
		if !last || dir {
			err = unix.Mkdirat(at, p, 0o755)
		} else {
			err = unix.Mknodat(at, p, unix.S_IFREG|0o644, 0)
		}
		if err == nil {
			err = c.own(at, p)
		}
		next := -1
		if err == nil || err == unix.EEXIST { // a link that leads nowhere is there, and isn't followed
			next, err = below(at, p, want)
		}
		unix.Close(at)
		if err != nil {
			return -1, err
		}
		at = next
	}
	return at, nil
}

// mayCover refuses the root, and all that is below /proc. The latter isn't
// mounted yet, and the program is looked up before it is: a volume there could
// show it one that won't be there when it is executed (see launch).
func (c *container) mayCover(fd int) error {
	at, err := where(fd)
	if err != nil {
		return err
	}
	root, err := where(c.root)
	if err != nil {
		return err
	}
	proc := root + "/proc"
	switch {
	case at == root:
		return errors.New("a volume can't be the root; --image takes a root folder")
	case at == proc || strings.HasPrefix(at, proc+"/"):
		return errors.New("a volume can't be in /proc, where the kernel shows processes")
	}
	return nil
}

// where is the path of what a descriptor is open on, as the thread sees it.
func where(fd int) (string, error) {
	name := fmt.Sprintf("/proc/thread-self/fd/%d", fd)
	at, err := os.Readlink(name)
	return at, err
}

// inRoot opens name with root as its root.
func inRoot(root int, name string, flags int) (int, error) {
	return openat2(root, name, &unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
}
