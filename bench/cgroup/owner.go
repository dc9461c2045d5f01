package cgroup

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lab/bench/input"

	"golang.org/x/sys/unix"
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
