package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"lab/bench/probe/guestinit/wire"
)

// own is the lab's folder in the initramfs.
const own = "/.lab"

// A place is a file system that programs expect.
type place struct {
	dir, fs, opts string
	flags         uintptr
}

var (
	devices = place{"/dev", "devtmpfs", "mode=755", unix.MS_NOSUID}
	others  = []place{
		{"/proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"/sys", "sysfs", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"/dev/pts", "devpts", "mode=620,ptmxmode=666", unix.MS_NOSUID | unix.MS_NOEXEC},
		{"/dev/shm", "tmpfs", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
		{"/sys/fs/cgroup", "cgroup2", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	}
)

func (p place) mount() error { return p.from(p.fs) }

// from mounts what has a source of its own.
func (p place) from(source string) error {
	os.MkdirAll(p.dir, 0o755) // in /sys it is there, or can't be made
	err := unix.Mount(source, p.dir, p.fs, p.flags, p.opts)
	if err == unix.ENOTDIR { // a folder of the host's, where the user wanted it
		return fmt.Errorf("mount %s: %w; fix: a target that is a folder, or doesn't exist yet", p.dir, err)
	}
	if err == unix.EBUSY { // the same is there: a distribution's systemd mounted it
		err = nil
	}
	if err != nil {
		return fmt.Errorf("mount %s: %w", p.dir, err)
	}
	return nil
}

// prepare makes the guest a place where programs feel at home. It goes on after
// an error: the host will hear of it.
//
// A workload that becomes PID 1 gets what it would have without this init, the
// device nodes, and what the host asked for; nothing else is mounted then.
func prepare(b wire.Boot) error {
	errs := []error{devices.mount()}
	// In the names' order, which is the loading order.
	modules, err := filepath.Glob(own + "/*.ko")
	errs = append(errs, err)
	for _, name := range modules {
		if err := load(name); err != nil {
			errs = append(errs, fmt.Errorf("load %s: %w", filepath.Base(name), err))
		}
	}
	// Before the root is another; a RAM disk's files are RAM.
	for _, name := range append(modules, own+"/init") {
		errs = append(errs, os.Remove(name))
	}
	errs = append(errs, disks(b))
	if len(b.Exec) == 0 {
		for _, p := range others {
			errs = append(errs, p.mount())
		}
		for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"} {
			os.Symlink(to, "/dev/"+name)
		}
	}
	for _, x := range b.Shares {
		p := place{x.Dir, "virtiofs", "", unix.MS_NOSUID | unix.MS_NODEV}
		if x.ReadOnly { // and so is the host's side of it
			p.flags |= unix.MS_RDONLY
		}
		errs = append(errs, p.from(x.Tag))
	}
	if b.Name != "" {
		errs = append(errs, os.NewSyscallError("sethostname", unix.Sethostname([]byte(b.Name))))
	}
	errs = append(errs, loopback())
	if b.Net.Name != "" {
		errs = append(errs, configure(b.Net))
	}
	return errors.Join(errs...)
}

// load loads a kernel module.
func load(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && err != unix.EEXIST {
		return err
	}
	return nil
}
