package testbed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
	"lab/bench/input"
)

// The work folder holds what instances write where that shall be on a real file
// system: overlay layers, files to read and write, disks. It lies where the user
// says, is called lab-<ID>, and bears the testbed's tag. Its owner holds a lock
// on it, and the run folder has a link to it: that is how Sweep finds what a
// killed lab left.

// workLink is the link's name in the run folder.
const workLink = "work"

// OpenWork makes the testbed's work folder below dir, and sets Work. What dead
// testbeds left in dir is removed first.
func (tb *Testbed) OpenWork(dir string) (err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("work folder: %w", err)
	}
	// The link names the folder as Sweep will see it.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return fmt.Errorf("work folder: %w; fix: make the folder, or name another with --work", err)
	}
	SweepWork(dir)
	path := filepath.Join(dir, "lab-"+tb.ID)
	// Before the folder: what is there has a link to it. The descriptor leads
	// to the run folder itself, which in a worker is covered.
	if err := unix.Symlinkat(path, int(tb.folder.Fd()), workLink); err != nil {
		return fmt.Errorf("work folder: %w", os.NewSyscallError("symlinkat", err))
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		return fmt.Errorf("work folder: %w; fix: name a folder that can be written to: --work DIR", err)
	}
	f, err := lockFolder(path, unix.LOCK_EX)
	if err == nil {
		err = unix.Fsetxattr(int(f.Fd()), cgroup.Tag, []byte(tb.ID), 0)
		if err != nil {
			f.Close()
		}
	}
	if err != nil {
		return fmt.Errorf("work folder: tag %s: %w; fix: name a folder on a file system with extended attributes: --work DIR", path, errors.Join(err, os.Remove(path)))
	}
	tb.work, tb.Work = f, path
	return nil
}

// closeWork removes the work folder.
func (tb *Testbed) closeWork() error {
	if tb.work == nil {
		return nil
	}
	err := os.RemoveAll(tb.Work)
	if err == nil {
		unix.Unlinkat(int(tb.folder.Fd()), workLink, 0)
	}
	tb.work.Close()
	tb.work, tb.Work = nil, ""
	return err
}

// buryWork removes the work folder that a dead testbed's run folder, open as f,
// has a link to.
func buryWork(f *os.File) (removed []string, err error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(f.Fd()), workLink, buf)
	if err != nil { // no link: no folder
		return nil, nil
	}
	path := string(buf[:n])
	id := filepath.Base(f.Name())
	if filepath.Base(path) != "lab-"+id {
		return nil, nil // not written by us
	}
	return removeWork(path, id, true)
}

// SweepWork removes what dead testbeds left in a folder in which work folders are
// made, also where their run folders are gone (the machine was switched off), and
// returns what it removed. What can't be is left.
func SweepWork(dir string) (removed []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if id, ok := strings.CutPrefix(e.Name(), "lab-"); ok && isID(id) {
			if _, err := os.Lstat(filepath.Join(runDir, id)); err != nil {
				gone, _ := removeWork(filepath.Join(dir, e.Name()), id, false)
				removed = append(removed, gone...)
			}
		}
	}
	return removed
}

// removeWork removes a work folder that bears the tag of testbed id and that nobody
// holds a lock on. One that was announced may also be empty: its owner was killed
// between making and tagging it.
func removeWork(path, id string, announced bool) ([]string, error) {
	f, err := input.OpenFolder(path)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil, nil
	}
	tag := make([]byte, 64)
	n, err := unix.Fgetxattr(int(f.Fd()), cgroup.Tag, tag)
	if err != nil || string(tag[:n]) != id {
		if !announced || os.Remove(path) != nil {
			return nil, nil
		}
		return []string{path}, nil
	}
	if err := os.RemoveAll(path); err != nil {
		return nil, err
	}
	return []string{path}, nil
}

// FSType names the file system that a folder lies on, as statfs(2)'s number
// says; "unknown (0x…)" for others.
func FSType(dir string) (string, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "", &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	for _, f := range []struct {
		magic int64
		name  string
	}{
		{unix.EXT4_SUPER_MAGIC, "ext4"}, {unix.XFS_SUPER_MAGIC, "xfs"}, {unix.BTRFS_SUPER_MAGIC, "btrfs"},
		{unix.TMPFS_MAGIC, "tmpfs"}, {unix.OVERLAYFS_SUPER_MAGIC, "overlay"}, {unix.F2FS_SUPER_MAGIC, "f2fs"},
		{unix.NFS_SUPER_MAGIC, "nfs"}, {0x2fc12fc1, "zfs"}, {unix.FUSE_SUPER_MAGIC, "fuse"}, {unix.V9FS_MAGIC, "9p"},
	} {
		if int64(st.Type) == f.magic {
			return f.name, nil
		}
	}
	return fmt.Sprintf("unknown (%#x)", st.Type), nil
}
