package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/input"
)

// Tag is the extended attribute that marks a folder as the lab's; its value is
// the testbed's ID. Trusted attributes work on v1 and v2 alike, and only root
// of the machine itself can set or see them.
const Tag = "trusted.lab"

// lock takes a folder's lock, if nobody has it.
func lock(dir string) (*os.File, error) {
	f, err := input.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, os.NewSyscallError("flock", err)
	}
	return f, nil
}

// Owned says whether the owner of a tree's folder is alive.
func Owned(dir string) bool {
	f, err := lock(dir)
	if err == nil {
		f.Close()
	}
	return errors.Is(err, unix.EWOULDBLOCK)
}

// Owners finds the folders of every testbed on this machine by their tag:
// the testbed's ID and the folder. They are below the cell that each one's lab
// stands in, so that all hierarchies are walked.
func (l Layout) Owners() map[string][]string {
	out := map[string][]string{}
	for _, p := range l.points() {
		walk(p, func(dir string) bool {
			var buf [64]byte
			if strings.HasPrefix(filepath.Base(dir), Name("")) {
				if n, err := unix.Getxattr(dir, Tag, buf[:]); err == nil {
					id := string(buf[:n])
					out[id] = append(out[id], dir)
				}
			}
			return true
		})
	}
	return out
}

// IsFolder says whether dir is a folder that a testbed with this ID would have,
// tagged or not.
func IsFolder(dir, id string) bool {
	var st unix.Statfs_t
	return filepath.Base(dir) == Name(id) && unix.Statfs(dir, &st) == nil &&
		(st.Type == unix.CGROUP_SUPER_MAGIC || st.Type == unix.CGROUP2_SUPER_MAGIC)
}

// points are the mount points of all hierarchies, each once.
func (l Layout) points() []string {
	out := slices.Collect(maps.Values(l.V1))
	if l.V2 != "" {
		out = append(out, l.V2)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// RemoveAll removes a cgroup folder and those below it, deepest first. A
// folder with processes is emptied with SIGKILL; the kernel lets it go only
// some time after the last one was reaped, so it is tried for two seconds.
func RemoveAll(dir string) error {
	if unix.Rmdir(dir) == nil { // mostly: nobody looks for folders where there are none
		return nil
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cgroup: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return rmdir(dir)
}

// rmdir removes one cgroup folder, killing what is in it. No event says when a
// v1 folder can be removed, so the pauses grow from 20 µs on.
func rmdir(dir string) error {
	deadline := time.Now().Add(2 * time.Second)
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		err := unix.Rmdir(dir)
		switch {
		case err == nil || err == unix.ENOENT:
			return nil
		case err == unix.EINTR:
			continue
		case err != unix.EBUSY || time.Now().After(deadline):
			return fmt.Errorf("cgroup: remove %s: %w", dir, err)
		}
		killAll(dir)
		time.Sleep(pause)
	}
}

// killAll kills the processes that a cgroup folder lists.
func killAll(dir string) {
	if write(dir, "cgroup.kill", "1") == nil { // v2, Linux 5.14 and later
		return
	}
	b, _ := input.Kernel(filepath.Join(dir, "cgroup.procs"))
	for _, f := range strings.Fields(string(b)) {
		var pid int
		// 0 is a process of another PID namespace, which we can't name.
		if _, err := fmt.Sscan(f, &pid); err == nil && pid > 1 && pid != os.Getpid() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
