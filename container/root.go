package container

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench/launch"
)

// A container's root is an overlay of two layers: below, the image, which many
// containers share and none can change; above, an empty folder of this
// container's own. A file is read from the upper layer where it is there, else
// from the lower one; it is copied up when it is first written to
// (overlayfs.rst). So a container is there at once, however large its image
// is, and everything that it wrote goes with its upper layer.

// makeRoot mounts the container's root, and opens it as c.root.
func (c *container) makeRoot(t *launch.Thread) error {
	image, err := unix.Open(c.spec.Image.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open image", Path: c.spec.Image.Dir, Err: err}
	}
	keep(t, image, "image")
	c.lower = nil
	if n := len(c.spec.Image.Layers); n > 1 && n <= maxStack && !c.mapped() && c.on("overlay") {
		for _, dir := range c.spec.Image.Layers {
			fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			if err != nil {
				return &os.PathError{Op: "open layer", Path: dir, Err: err}
			}
			keep(t, fd, "layer")
			c.lower = append(c.lower, fd)
		}
	}
	// After the image: what is attached below may hide it.
	if err := c.makeScratch(t); err != nil {
		return err
	}
	var root int
	if c.on("overlay") {
		root, err = c.overlay(t, image)
	} else {
		root, err = c.readOnly(image)
	}
	if err != nil {
		return err
	}
	// pivot_root takes only what is attached somewhere.
	if err := c.attachHere(root); err != nil {
		return fmt.Errorf("attach root: %w", err)
	}
	keep(t, root, "root")
	c.root = root
	return nil
}

// attachHere attaches a mount that only needs to be attached, wherever: to the run
// folder, which is there, and in this mount namespace nobody else needs it.
func (c *container) attachHere(mount int) error {
	at, err := unix.Open(c.env.tb.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: c.env.tb.Dir, Err: err}
	}
	defer unix.Close(at)
	return attach(mount, at)
}

// makeScratch makes the container's own tmpfs, for its upper layer, its /dev and what
// hides things. It is one for all: each file system costs the kernel tens of KiB,
// since every control group of memory on the machine counts what it could give back
// of each. It is attached only in this container's mount namespace: the kernel frees
// it with the namespace, whatever becomes of us.
func (c *container) makeScratch(t *launch.Thread) (err error) {
	options := []option{{"mode", "700"}}
	if !c.on("overlay") || c.spec.Work {
		options = append(options, option{"size", "64k"}) // what it writes is elsewhere
	}
	if c.scratch, err = newFS("tmpfs", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV, options...); err != nil {
		return err
	}
	keep(t, c.scratch, "scratch")
	// An overlay takes no layer from a mount that is attached nowhere, and before
	// Linux 6.15 such a mount can't be cloned either.
	if err := c.attachHere(c.scratch); err != nil {
		return fmt.Errorf("attach tmpfs: %w", err)
	}
	return nil
}

// part makes a folder of the scratch file system, and returns a mount of it with
// these MOUNT_ATTR_ flags, attached nowhere.
func (c *container) part(t *launch.Thread, name string, mode uint32, attr uint64) (int, error) {
	if err := unix.Mkdirat(c.scratch, name, mode); err != nil {
		return -1, fmt.Errorf("make a folder for %s: %w", name, err)
	}
	fd, err := clone(c.scratch, name)
	if err != nil {
		return -1, err
	}
	keep(t, fd, name)
	const all = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	err = unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_clr: all, Attr_set: attr})
	return fd, os.NewSyscallError("mount_setattr", err)
}

// overlay makes the overlay.
func (c *container) overlay(t *launch.Thread, image int) (_ int, err error) {
	if c.spec.Work {
		return c.overlayWork(t, image)
	}
	if err := unix.Mkdirat(c.scratch, "names", 0o755); err != nil {
		return -1, fmt.Errorf("make a folder for names: %w", err)
	}
	if c.names, err = below(c.scratch, "names", unix.O_PATH|unix.O_DIRECTORY); err != nil {
		return -1, err
	}
	keep(t, c.names, "names")
	return c.layers(t, image, c.scratch)
}

// overlayWork makes the overlay with its upper layer in the work folder.
func (c *container) overlayWork(t *launch.Thread, image int) (int, error) {
	dir, err := os.MkdirTemp(c.env.tb.Work, "container-")
	if err != nil {
		return -1, fmt.Errorf("make the upper layer: %w", err)
	}
	c.layer = dir // Close removes it
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd)
	return c.layers(t, image, fd)
}

// maxStack is how many layers of an image an overlay is made of: the names of more
// don't fit the 256 bytes that fsconfig(2) takes. Of such an image, and where its
// owners are mapped, the tree of all layers is the one lower layer.
const maxStack = 9

// layers lays two new folders of the folder tmp over the image.
func (c *container) layers(t *launch.Thread, image, tmp int) (_ int, err error) {
	for _, dir := range []string{"upper", "work", "lower"} {
		if err := unix.Mkdirat(tmp, dir, 0o755); err != nil {
			return -1, fmt.Errorf("make %s layer: %w", dir, err)
		}
	}
	// The root folder's owner is the upper layer's.
	if err := c.own(tmp, "upper"); err != nil {
		return -1, err
	}
	if c.mapped() {
		if image, err = c.shift(image, 0); err != nil {
			return -1, err
		}
		keep(t, image, "image")
		on, err := below(tmp, "lower", unix.O_PATH|unix.O_DIRECTORY)
		if err != nil {
			return -1, err
		}
		defer unix.Close(on)
		if err := attach(image, on); err != nil {
			return -1, fmt.Errorf("attach the image: %w", err)
		}
	}
	// Layers are named by descriptor: a path could have a colon or a comma in
	// it, which overlayfs reads as the end of a name, and it could be
	// changed under us. NODEV: an image's device nodes are just files.
	layer := func(fd int, name string) string { return fmt.Sprintf("/proc/thread-self/fd/%d%s", fd, name) }
	lower := layer(image, "")
	if len(c.lower) > 0 {
		lower = ""
		for _, fd := range slices.Backward(c.lower) { // overlayfs wants the uppermost first
			lower = strings.TrimPrefix(lower+":"+layer(fd, ""), ":")
		}
	}
	return newFS("overlay", unix.MOUNT_ATTR_NODEV,
		option{"source", "lab"},
		option{"lowerdir", lower},
		option{"upperdir", layer(tmp, "/upper")},
		option{"workdir", layer(tmp, "/work")})
}

// readOnly is the root without an overlay: the image itself, which can't be
// written to.
func (c *container) readOnly(image int) (int, error) {
	if c.mapped() {
		return c.shift(image, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NODEV)
	}
	fd, err := clone(image, "")
	if err != nil {
		return -1, fmt.Errorf("the image: %w", err)
	}
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NODEV, Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, attr); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("make the image read-only: %w", err)
	}
	return fd, nil
}

// pivot makes c.root the root of the mount namespace, and lets go of the old
// one with all that was mounted there. chroot(2) wouldn't do: it moves only
// what "/" means, and root can move it back; after this there is nothing to
// move back to.
func (c *container) pivot(*launch.Thread) error {
	if err := unix.Fchdir(c.root); err != nil {
		return os.NewSyscallError("fchdir", err)
	}
	return launch.PivotHere()
}
