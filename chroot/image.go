package chroot

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// view is a descriptor of the image's read-only view: a mount of the same
// folder, with all that is mounted below it, which is attached nowhere
// (open_tree(2), OPEN_TREE_CLONE). Whoever has it for its root reads the very
// files of the image, through the same page cache, and can change none of them.
//
// It costs four system calls, once for all instances of an image, and a start
// nothing. An overlay with a layer to write to would cost each start what a
// container pays for it, and it has to be attached, which needs a mount
// namespace: not much would be left of chroot. Something else is lost: the
// best known way out of a chroot, "..", ends at the top of this mount, where
// the usual one goes on to the machine's root. Root has others.
func (e *Env) view(dir string) (int, error) {
	return e.once(dir, func() (int, error) {
		fd, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
		if err != nil {
			return -1, &os.PathError{Op: "clone the mount of", Path: dir, Err: err}
		}
		attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY, Propagation: unix.MS_PRIVATE}
		if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, attr); err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("make the image read-only: %w", err)
		}
		return fd, nil
	})
}

// once opens a folder the first time that it is asked for; Close closes it.
func (e *Env) once(dir string, open func() (int, error)) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if fd, ok := e.views[dir]; ok {
		return fd, nil
	}
	fd, err := open()
	if err != nil {
		return -1, err
	}
	if e.views == nil {
		e.views = map[string]int{}
	}
	e.views[dir] = fd
	return fd, nil
}
