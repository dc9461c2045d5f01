package testbed

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
)

// Sweep removes what testbeds left whose owners are dead: cgroup folders that
// bear the tag, and run folders. It returns what it removed. Nothing without
// the tag is touched, and nothing whose owner holds its lock.
func Sweep() (removed []string, err error) {
	var errs []error
	l, err := cgroup.Read()
	if err != nil {
		return nil, err
	}
	for id, dirs := range l.Owners() {
		// The tag was written by somebody with root's rights, yet it is
		// made into a path below: a name, and nothing else.
		if id == "" || filepath.Base(id) != id || id[0] == '.' {
			continue
		}
		// A dead owner's folder is either gone or unlocked. While we look
		// at it, and until the cgroups are gone, it is ours.
		f, alive := claim(filepath.Join(runDir, id))
		if alive {
			continue
		}
		for _, dir := range dirs {
			if err := cgroup.RemoveAll(dir); err != nil {
				errs = append(errs, err)
				continue
			}
			removed = append(removed, dir)
		}
		if f != nil {
			f.Close()
		}
	}
	entries, _ := os.ReadDir(runDir)
	for _, e := range entries {
		name := filepath.Join(runDir, e.Name())
		f, alive := claim(name)
		if alive || f == nil {
			continue
		}
		if err := removeFolder(f); err != nil {
			errs = append(errs, err)
		} else {
			removed = append(removed, name)
		}
		f.Close()
	}
	return removed, errors.Join(errs...)
}

// claim locks the folder of a testbed whose owner is dead. It says that the
// owner is alive where it holds the lock, or where we can't tell.
func claim(dir string) (f *os.File, alive bool) {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, false
	}
	if err != nil {
		return nil, true
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, true
	}
	return f, false
}
