package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"lab/bench/launch"

	"golang.org/x/sys/unix"
)

// Where the daemon's mount namespace shows the lab's folders. They are short
// (a socket's path has at most 107 bytes) and the same for every user, whose
// own paths therefore stand in no QEMU command line.
const (
	InsideBed   = "/run/vm/bed"   // the testbed's folder: sockets, logs
	InsideFiles = "/run/vm/files" // files of the cache, each by itself: kernels, initramfs images, disks
)

// InsideShares is where the daemon's namespace has the shared folders: mounts of
// their own, so that one that is read-only is so whatever the guest does. Only
// root gets there: virtiofsd, and not QEMU.
const InsideShares = "/run/vm/shares"

// Mounts is what the daemon sees of the file system.
type Mounts struct {
	Bed   string            // folder for sockets and logs
	caps  string            // folder in which libvirt keeps what it found out about QEMU
	kvm   bool              // whether /dev/kvm is there
	binds []*Bind           // what else is seen
	Files map[string]string // and what is written there, and the folders for it: the daemon's configuration

	Args []string // further arguments of the daemon's
}

// programFolders is where a distribution has its programs and libraries; on most
// the latter are links into the first.
var programFolders = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}

// settingFiles are what libraries want of /etc. Nothing there says who uses the
// machine.
var settingFiles = []string{"ld.so.cache", "ld.so.preload", "localtime", "host.conf", "resolv.conf",
	"protocols", "services", "gnutls/config", "ssl/openssl.cnf"}

// atRoot is where the new root is put together. The folder is there on every
// system, and covered in a namespace that nobody else is in.
const atRoot = "/run"

// enter gives the calling thread a mount namespace in which libvirt can live
// without leaving a trace, and QEMU without seeing anything of the machine that
// a domain doesn't need: a root of its own, with the system's programs to read,
// devices of its own, and the lab's folders. What is written lies on file
// systems that vanish with the namespace, and no mount point is made on the
// host.
func (m Mounts) enter() error {
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
	etc, err := settings()
	if err != nil {
		return err
	}
	// The copies are made before /run, which they may lie in, is covered. Of
	// /sys only sysfs itself: without cgroup mounts libvirt makes no cgroups
	// (virCgroupAvailable), and QEMU stays in the one that the daemon is in.
	binds := append([]*Bind{
		{From: m.Bed, To: InsideBed},
		{From: m.caps, To: "/var/cache/libvirt/qemu/capabilities"},
		{From: filepath.Join(m.Bed, "log"), To: "/var/log/libvirt"},
		{From: filepath.Join(m.Bed, "run"), To: "/run/libvirt"},
		{From: "/sys", To: "/sys", Attr: unix.MOUNT_ATTR_RDONLY},
	}, m.binds...)
	links := map[string]string{"/var/run": "/run", "/var/lock": "/run/lock", "/dev/ptmx": "pts/ptmx"}
	for _, dir := range programFolders {
		if to, err := os.Readlink(dir); err == nil {
			links[dir] = to
		} else if _, err := os.Stat(dir); err == nil {
			binds = append(binds, &Bind{From: dir, To: dir, Deep: true, Attr: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOSUID})
		}
	}
	if _, err := os.Stat("/etc/alternatives"); err == nil { // links between programs, where libraries are among these
		binds = append(binds, &Bind{From: "/etc/alternatives", To: "/etc/alternatives", Attr: unix.MOUNT_ATTR_RDONLY})
	}
	defer func() {
		for _, b := range binds {
			b.close()
		}
	}()
	for _, b := range binds {
		if err := b.open(); err != nil {
			return err
		}
	}
	nodes, err := m.nodes()
	if err != nil {
		return err
	}
	// Room for libvirt's own files; the lab's are elsewhere.
	if err := unix.Mount("tmpfs", atRoot, "tmpfs", unix.MS_NOSUID, "mode=755,size=64m"); err != nil {
		return fmt.Errorf("mount tmpfs: %w", err)
	}
	for _, dir := range []string{"proc", "tmp", "run/lock", InsideFiles, "var/lib/libvirt", "dev/pts"} {
		if err := os.MkdirAll(filepath.Join(atRoot, dir), 0o755); err != nil {
			return err
		}
	}
	if err := os.Mkdir(atRoot+InsideShares, 0o700); err != nil {
		return err
	}
	for _, b := range binds {
		if err := b.attach(atRoot); err != nil {
			return err
		}
	}
	for name, to := range links {
		if err := os.Symlink(to, atRoot+name); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		if err := n.make(atRoot); err != nil {
			return err
		}
	}
	if err := errors.Join(writeFiles(etc, 0o644), writeFiles(m.Files, 0o600)); err != nil {
		return err
	}
	for _, x := range []struct{ kind, dir, options string }{
		{"proc", "/proc", "hidepid=2"}, // who isn't root sees no process but its own
		{"devpts", "/dev/pts", "newinstance,mode=600,ptmxmode=600"},
	} {
		if err := unix.Mount(x.kind, atRoot+x.dir, x.kind, unix.MS_NOSUID|unix.MS_NOEXEC, x.options); err != nil {
			return fmt.Errorf("mount %s: %w", x.kind, err)
		}
	}
	if err := unix.Chdir(atRoot); err != nil {
		return os.NewSyscallError("chdir", err)
	}
	return launch.PivotHere()
}

func writeFiles(files map[string]string, mode os.FileMode) error {
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(atRoot+name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(atRoot+name, []byte(text), mode); err != nil {
			return err
		}
	}
	return nil
}

// settings are the files of /etc that the daemon and QEMU see.
func settings() (map[string]string, error) {
	files := accounts()
	for _, name := range settingFiles {
		b, err := os.ReadFile("/etc/" + name)
		if err == nil {
			files["/etc/"+name] = string(b)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return files, nil
}

// A Bind shows a folder or file of the host at another place.
type Bind struct {
	From, To string
	Deep     bool   // with what is mounted below it
	Attr     uint64 // attributes that the copy gets (mount_setattr(2))
	file     bool   // found out by open
	fd       int
}

// open copies the mount that from lies in, detached from every namespace.
func (b *Bind) open() (err error) {
	b.fd = -1
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	deep := uint(0)
	if b.Deep {
		deep = unix.AT_RECURSIVE
	}
	if b.fd, err = unix.OpenTree(unix.AT_FDCWD, b.From, flags|deep); err != nil {
		b.fd = -1
		return &os.PathError{Op: "open_tree", Path: b.From, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(b.fd, &st); err != nil {
		return &os.PathError{Op: "stat", Path: b.From, Err: err}
	}
	b.file = st.Mode&unix.S_IFMT != unix.S_IFDIR
	if b.Attr == 0 {
		return nil
	}
	attr := &unix.MountAttr{Attr_set: b.Attr, Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(b.fd, "", unix.AT_EMPTY_PATH|deep, attr); err != nil {
		return &os.PathError{Op: "mount_setattr", Path: b.From, Err: err}
	}
	return nil
}

// attach mounts the copy below a root, "" for the caller's own.
func (b *Bind) attach(root string) error {
	to := root + b.To
	dir := to
	if b.file {
		dir = filepath.Dir(to)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if b.file {
		f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		f.Close()
	}
	if err := unix.MoveMount(b.fd, "", unix.AT_FDCWD, to, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return &os.PathError{Op: "move_mount", Path: to, Err: err}
	}
	return nil
}

// detach takes it away again, in the namespace that it was attached in.
func (b *Bind) detach() error {
	return errors.Join(unix.Unmount(b.To, unix.MNT_DETACH), os.Remove(b.To))
}

func (b *Bind) close() {
	if b.fd >= 0 {
		unix.Close(b.fd)
	}
}

// accounts are the files with names: of users those that distributions build
// libvirt for. It looks for them even where its configuration names others, and
// ends when they aren't there; the packages that create them are those that we
// don't want. The machine's own users aren't QEMU's business.
func accounts() map[string]string {
	const nobody = 65534 // nothing runs as it
	passwd, group := "root:x:0:0::/:/usr/sbin/nologin\n", "root:x:0:\n"
	for _, user := range []string{"libvirt-qemu", "qemu", "kvm"} {
		passwd += fmt.Sprintf("%s:x:%d:%d::/nonexistent:/usr/sbin/nologin\n", user, nobody, nobody)
		group += fmt.Sprintf("%s:x:%d:\n", user, nobody)
	}
	return map[string]string{
		"/etc/passwd": passwd, "/etc/group": group, "/etc/hosts": "127.0.0.1 localhost lab\n",
		"/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
	}
}
