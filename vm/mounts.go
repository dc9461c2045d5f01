package vm

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
)

// Where the daemon's mount namespace shows the lab's folders. They are short
// (a socket's path has at most 107 bytes) and the same for every user, whose
// own paths therefore stand in no QEMU command line.
const (
	insideBed   = "/run/vm/bed"   // the testbed's folder: sockets, logs
	insideCache = "/run/vm/cache" // the cache: kernels, initramfs images
)

// mounts is what the daemon sees of the file system.
type mounts struct {
	bed   string            // folder for sockets and logs
	cache string            // the lab's cache folder
	caps  string            // folder in which libvirt keeps what it found out about QEMU
	kvm   bool              // whether /dev/kvm is there
	files map[string]string // and what is written there, and the folders for it: the daemon's configuration

	args []string // further arguments of the daemon's
}

// enter gives the calling thread a mount namespace in which libvirt can live
// without leaving a trace: what it writes lies on file systems that vanish with
// the namespace, and no mount point is made on the host.
func (m mounts) enter() error {
	// A UTS namespace, too: libvirt writes the host's name into logs that people
	// publish.
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := unix.Sethostname([]byte("lab")); err != nil {
		return os.NewSyscallError("sethostname", err)
	}
	// Nothing mounted here may appear outside (mount_namespaces(7)).
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("make mounts slaves: %w", err)
	}
	// Copies of the mounts that are needed, before /run and /dev, which they
	// may lie in, are covered.
	binds := []*bind{
		{from: m.bed, to: insideBed},
		{from: m.cache, to: insideCache},
		{from: m.caps, to: "/var/cache/libvirt/qemu/capabilities"},
		{from: filepath.Join(m.bed, "log"), to: "/var/log/libvirt"},
		{from: filepath.Join(m.bed, "run"), to: "/run/libvirt"},
		{from: "/dev/pts", to: "/dev/pts"},
	}
	devices := []string{"null", "zero", "full", "random", "urandom", "tty", "net/tun", "vhost-net"}
	if m.kvm {
		devices = append(devices, "kvm")
	}
	for _, d := range devices {
		binds = append(binds, &bind{from: "/dev/" + d, to: "/dev/" + d, file: true})
	}
	for _, b := range binds {
		if err := b.open(); err != nil {
			return err
		}
		defer b.close()
	}
	if err := uncover(); err != nil {
		return err
	}
	if err := tmpfs("/run", "mode=755"); err != nil {
		return err
	}
	// Who has libvirt open a console is written down in /var/lock, which leads
	// here.
	if err := os.Mkdir("/run/lock", 0o755); err != nil {
		return err
	}
	// With a device hidden rather than closed, libvirt doesn't ask QEMU
	// about KVM again and again: it repeats its probing, some twenty times a
	// domain, where /dev/kvm can be accessed and QEMU said no.
	if err := tmpfs("/dev", "mode=755"); err != nil {
		return err
	}
	if err := os.Symlink("pts/ptmx", "/dev/ptmx"); err != nil {
		return err
	}
	if err := cover("/etc", "libvirt"); err != nil {
		return err
	}
	if err := cover("/var", "lib/libvirt", "log/libvirt", "cache/libvirt"); err != nil {
		return err
	}
	for _, b := range binds {
		if err := b.attach(); err != nil {
			return err
		}
	}
	// Without cgroup mounts libvirt makes no cgroups (virCgroupAvailable);
	// QEMU stays in the one that the daemon is in.
	for _, dir := range []string{"/sys/fs/cgroup"} {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil && err != unix.EINVAL && err != unix.ENOENT {
			return fmt.Errorf("unmount %s: %w", dir, err)
		}
	}
	if err := accounts(); err != nil {
		return err
	}
	for name, text := range m.files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// uncover takes away, in this mount namespace, what is mounted below the folders
// that are about to be covered, and each file system of huge pages: libvirt
// reads of them in the table of mounts, which shows what is covered too, looks
// for each, and makes folders in it. Without one its QEMU driver doesn't start.
func uncover() error {
	b, err := os.ReadFile("/proc/thread-self/mounts")
	if err != nil {
		return err
	}
	for _, dir := range inTheWay(string(b)) {
		// EINVAL: it went with what it was mounted on, or whoever gave us this
		// namespace keeps it from being taken away.
		if err := unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && err != unix.EINVAL && err != unix.ENOENT {
			return fmt.Errorf("unmount %s: %w", dir, err)
		}
	}
	return nil
}

// inTheWay finds the mount points that uncover takes away in a table of mounts
// (fstab(5)), the last one mounted first.
func inTheWay(mounts string) (dirs []string) {
	for line := range strings.Lines(mounts) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		if dir := cgroup.Unescape(f[1]); f[2] == "hugetlbfs" || strings.HasPrefix(dir, "/dev/") || strings.HasPrefix(dir, "/run/") {
			dirs = append(dirs, dir)
		}
	}
	slices.Reverse(dirs)
	return dirs
}

func tmpfs(dir, options string) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID, options); err != nil {
		return fmt.Errorf("mount tmpfs on %s: %w", dir, err)
	}
	return nil
}

// cover puts an empty tmpfs over each of the folders in parent. Where one of
// them isn't there, and it isn't on a system that has only the daemon's
// program installed, an overlay over parent takes the mount point.
func cover(parent string, folders ...string) error {
	for _, f := range folders {
		if _, err := os.Stat(filepath.Join(parent, f)); errors.Is(err, fs.ErrNotExist) {
			if err := overlay(parent); err != nil {
				return err
			}
			break
		}
	}
	for _, f := range folders {
		dir := filepath.Join(parent, f)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := tmpfs(dir, "mode=755"); err != nil {
			return err
		}
	}
	return nil
}

// overlay lays a writable layer over a folder; /run must be private by now.
func overlay(dir string) error {
	layer := filepath.Join("/run/vm/layer", dir)
	upper, work := filepath.Join(layer, "upper"), filepath.Join(layer, "work")
	for _, d := range []string{upper, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	opts := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", dir, upper, work)
	if err := unix.Mount("overlay", dir, "overlay", 0, opts); err != nil {
		return fmt.Errorf("mount overlay on %s: %w", dir, err)
	}
	return nil
}

// A bind shows a folder or file of the host at another place.
type bind struct {
	from, to string
	file     bool // a device node: left out where the host has none
	fd       int
}

// open copies the mount that from lies in, detached from every namespace.
func (b *bind) open() (err error) {
	b.fd, err = unix.OpenTree(unix.AT_FDCWD, b.from, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if b.file && err == unix.ENOENT {
		b.fd = -1
		return nil
	}
	if err != nil {
		b.fd = -1
		return &os.PathError{Op: "open_tree", Path: b.from, Err: err}
	}
	return nil
}

func (b *bind) attach() error {
	if b.fd < 0 {
		return nil
	}
	dir := b.to
	if b.file {
		dir = filepath.Dir(b.to)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if b.file {
		f, err := os.OpenFile(b.to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		f.Close()
	}
	if err := unix.MoveMount(b.fd, "", unix.AT_FDCWD, b.to, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return &os.PathError{Op: "move_mount", Path: b.to, Err: err}
	}
	return nil
}

func (b *bind) close() {
	if b.fd >= 0 {
		unix.Close(b.fd)
	}
}

// accounts shows the daemon a passwd and a group file with the users that
// distributions build libvirt for. It looks for them even where its
// configuration names others, and ends when they aren't there; the packages
// that create them are those that we don't want.
func accounts() error {
	const nobody = 65534 // nothing runs as it
	for _, f := range []struct{ name, rest string }{
		{"passwd", fmt.Sprintf(":x:%d:%d::/nonexistent:/usr/sbin/nologin\n", nobody, nobody)},
		{"group", fmt.Sprintf(":x:%d:\n", nobody)},
	} {
		b, err := os.ReadFile("/etc/" + f.name)
		if err != nil {
			return err
		}
		if n := len(b); n > 0 && b[n-1] != '\n' {
			b = append(b, '\n')
		}
		for _, user := range []string{"libvirt-qemu", "qemu", "kvm"} {
			if bytes.HasPrefix(b, []byte(user+":")) || bytes.Contains(b, []byte("\n"+user+":")) {
				continue
			}
			b = append(b, user+f.rest...)
		}
		path := "/run/vm/" + f.name
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return err
		}
		if err := unix.Mount(path, "/etc/"+f.name, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind mount on /etc/%s: %w", f.name, err)
		}
	}
	return nil
}
