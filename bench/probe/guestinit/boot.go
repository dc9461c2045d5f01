package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// own is the lab's folder in the initramfs.
const own = "/.lab"

// prepare makes the guest a place where programs feel at home. It goes on after
// an error: the host will hear of it.
func prepare() error {
	var errs []error
	for _, m := range []struct {
		dir, fs, opts string
		flags         uintptr
	}{
		{"/proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"/sys", "sysfs", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"/dev", "devtmpfs", "mode=755", unix.MS_NOSUID},
		{"/dev/pts", "devpts", "mode=620,ptmxmode=666", unix.MS_NOSUID | unix.MS_NOEXEC},
		{"/dev/shm", "tmpfs", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
		{"/sys/fs/cgroup", "cgroup2", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	} {
		os.MkdirAll(m.dir, 0o755) // in /sys it is there, or can't be made
		if err := unix.Mount(m.fs, m.dir, m.fs, m.flags, m.opts); err != nil {
			errs = append(errs, fmt.Errorf("mount %s: %w", m.dir, err))
		}
	}
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"} {
		os.Symlink(to, "/dev/"+name)
	}
	errs = append(errs, loopback())
	// In the names' order, which is the loading order.
	modules, err := filepath.Glob(own + "/*.ko")
	errs = append(errs, err)
	for _, name := range modules {
		if err := load(name); err != nil {
			errs = append(errs, fmt.Errorf("load %s: %w", filepath.Base(name), err))
		}
	}
	return errors.Join(append(errs, os.RemoveAll(own))...)
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

// loopback sets the loopback device up.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP)
	return os.NewSyscallError("set lo up", unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr))
}
