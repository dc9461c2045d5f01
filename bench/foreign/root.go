package foreign

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/launch"
	"lab/bench/probe"
	"lab/bench/testbed"
)

// InitPath is where an instance has the lab's init, where it has one.
const InitPath = "/.lab-init"

// Mounts are a Spec's, and before them the lab's init, a file of this machine's, where
// the Spec asks for it.
func Mounts(s bench.Spec, init string) []bench.Mount {
	if !s.Init {
		return s.Mounts
	}
	return append([]bench.Mount{{Source: init, Target: InitPath, ReadOnly: true}}, s.Mounts...)
}

// enter takes the thread to namespaces of the instance's own, with the network that it
// is to have.
func (i *Instance) enter(*launch.Thread) error {
	flags := unix.CLONE_NEWNS
	if i.network != nil {
		flags |= unix.CLONE_NEWNET
	}
	if err := unix.Unshare(flags); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return os.NewSyscallError("make mounts slaves", err)
	}
	if i.group != nil {
		if err := i.group.Show(); err != nil {
			return err
		}
	}
	if i.network == nil {
		return nil
	}
	if err := testbed.Loopback(); err != nil {
		return err
	}
	return i.network.Attach("eth0", i.addr)
}

// Cover mounts a tmpfs on a folder, in a mount namespace of the calling thread's own,
// and shows the testbed's folders there as before if they lie in it. Its error wraps
// ENOENT if there is no such folder.
func Cover(dir string, tb *testbed.Testbed) error {
	kept := map[string]int{}
	for _, name := range []string{tb.Dir, tb.Work} {
		if strings.HasPrefix(name, dir+"/") {
			fd, err := unix.OpenTree(unix.AT_FDCWD, name, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
			if err != nil {
				return fmt.Errorf("open %s: %w", name, err)
			}
			defer unix.Close(fd)
			kept[name] = fd
		}
	}
	if err := unix.Mount("lab", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mount tmpfs on %s: %w", dir, err)
	}
	for name, fd := range kept {
		if err := os.MkdirAll(name, 0o700); err != nil {
			return err
		}
		if err := unix.MoveMount(fd, "", unix.AT_FDCWD, name, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return fmt.Errorf("show %s: %w", name, err)
		}
	}
	return nil
}

// leave is the way back.
func leave() { launch.Home(unix.CLONE_NEWNS | unix.CLONE_NEWNET) }

// makeRoot covers the run folder with a tmpfs, and mounts the instance's root in it:
// an overlay over the image, whose upper layer is there or in the work folder. What
// the program is to read is put there as well.
func (i *Instance) makeRoot(*launch.Thread) error {
	img, err := unix.Open(i.spec.Image.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open image", Path: i.spec.Image.Dir, Err: err}
	}
	defer unix.Close(img)
	o := &i.order
	for _, d := range i.env.maker.Hides {
		if err := Cover(d, i.env.tb); err == nil {
			break
		} else if !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	if i.env.maker.Binds != nil {
		for to, from := range i.env.maker.Binds(o) {
			if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
				return fmt.Errorf("show %s at %s: %w", from, to, err)
			}
		}
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil { // it may be in what is hidden now
		return err
	}
	if err := unix.Mount("lab", o.Dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=700"); err != nil {
		return fmt.Errorf("mount tmpfs: %w", err)
	}
	fd, err := unix.Open(o.Dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: o.Dir, Err: err}
	}
	i.dir = os.NewFile(uintptr(fd), o.Dir)
	if i.env.maker.Store != "" {
		return i.writeFiles()
	}
	layers := o.Dir
	if i.spec.Work {
		if layers, err = os.MkdirTemp(i.env.tb.Work, "foreign-"); err != nil {
			return fmt.Errorf("make the upper layer: %w", err)
		}
		i.layer = layers // Close removes it
	}
	upper, work := filepath.Join(layers, "upper"), filepath.Join(layers, "work")
	for _, d := range []string{upper, work, o.Root} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	if i.spec.Init {
		if err := os.WriteFile(filepath.Join(upper, InitPath), probe.Init(), 0o755); err != nil {
			return err
		}
	}
	// The image by its descriptor: a path could have a colon or a comma in it.
	options := fmt.Sprintf("lowerdir=/proc/thread-self/fd/%d,upperdir=%s,workdir=%s", img, escape(upper), escape(work))
	if err := unix.Mount("lab", o.Root, "overlay", unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("mount the overlay: %w", err)
	}
	if i.env.maker.Sealed { // but for its folder, and the overlay, whose layer may be outside of that
		all, own := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}
		if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, all); err != nil {
			return os.NewSyscallError("make mounts read-only", err)
		}
		for _, dir := range []string{o.Dir, o.Root} {
			if err := unix.MountSetattr(unix.AT_FDCWD, dir, 0, own); err != nil {
				return os.NewSyscallError("make its folder writable", err)
			}
		}
	}
	return i.writeFiles()
}

// writeFiles writes what the program is to read.
func (i *Instance) writeFiles() error {
	if i.env.maker.Files == nil {
		return nil
	}
	o := &i.order
	files, err := i.env.maker.Files(o)
	if err != nil {
		return err
	}
	for name, b := range files {
		name = filepath.Join(o.Dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, b, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// escape writes a path as an option's value.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, ",", `\,`, ":", `\:`).Replace(path)
}

// find looks the command's program and working folder up in the image, as the
// instance will see them, and returns the program's path there. Programs that make
// instances have one exit status for all that can go wrong.
func find(root string, c bench.Command) (string, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &os.PathError{Op: "open image", Path: root, Err: err}
	}
	defer unix.Close(dir)
	mode := func(name string) (uint32, error) {
		fd, err := unix.Openat2(dir, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
		if err != nil {
			return 0, err
		}
		defer unix.Close(fd)
		var st unix.Stat_t
		err = unix.Fstat(fd, &st)
		return st.Mode, err
	}
	if m, err := mode(path.Join("/", c.Dir)); err != nil || m&unix.S_IFMT != unix.S_IFDIR {
		return "", bench.Blamed(bench.BlameWorkload, fmt.Errorf("start: change folder to %s: the image has no such folder", c.Dir))
	}
	return launch.Lookup(c, mode)
}
