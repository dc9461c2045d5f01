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
	at, err := c.target(m.Target, st.Mode&unix.S_IFMT == unix.S_IFDIR)
	if err != nil {
		return err
	}
	defer unix.Close(at)
	return attach(src, at)
}

// target opens the place a volume goes to, and makes what is missing of it: the
// folders on the way, and at the end a folder or an empty file. Below a
// volume that is mounted already this makes it on the host, as it does
// everywhere else.
func (c *container) target(name string, dir bool) (int, error) {
	name = path.Clean("/" + name)
	if name == "/" {
		return -1, errors.New("a volume can't be the root; --image takes a root folder")
	}
	parts := strings.Split(name[1:], "/")
	at, err := unix.Dup(c.root)
	if err != nil {
		return -1, os.NewSyscallError("dup", err)
	}
	for i, p := range parts {
		last := i == len(parts)-1
		flags := unix.O_PATH
		if !last || dir {
			flags |= unix.O_DIRECTORY
		}
		next, err := below(at, p, flags)
		if errors.Is(err, unix.ENOENT) {
			if !last || dir {
				err = unix.Mkdirat(at, p, 0o755)
			} else {
				err = unix.Mknodat(at, p, unix.S_IFREG|0o644, 0)
			}
			if err == nil {
				err = c.own(at, p)
			}
			if err == nil || err == unix.EEXIST {
				next, err = below(at, p, flags)
			}
		}
		unix.Close(at)
		if err != nil {
			return -1, bench.Blamed(bench.BlameWorkload, err)
		}
		at = next
	}
	return at, nil
}
