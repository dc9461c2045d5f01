package testbed

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
	"lab/bench/input"
)

// Sweep removes what testbeds left whose owners are dead: cgroup folders, work
// folders and run folders. It returns what it removed. Nothing is touched whose owner holds its
// lock, and no cgroup folder but those that bear the tag, or the ID of a dead
// testbed's run folder: its owner was killed between making and tagging one.
func Sweep() (removed []string, err error) {
	var errs []error
	l, err := cgroup.Read()
	if err != nil {
		return nil, err
	}
	for id, dirs := range l.Owners() {
		// The tag was written by somebody with root's rights, yet it is
		// made into a path below: a name, and nothing else.
		if !isID(id) {
			continue
		}
		// A dead owner's folder is either gone or unlocked. While we look
		// at it, and until the cgroups are gone, it is ours.
		f, alive := claim(filepath.Join(runDir, id))
		// With a /run that isn't ours, it may be alive all the same.
		if !alive && !slices.ContainsFunc(dirs, cgroup.Owned) {
			gone, err := removeCgroups(dirs)
			removed, errs = append(removed, gone...), append(errs, err)
		}
		if f != nil {
			f.Close()
		}
	}
	gone, err := SweepFolders()
	return append(removed, gone...), errors.Join(append(errs, err)...)
}

// SweepFolders is the part of Sweep that costs next to nothing where nothing was
// left: it goes by the run folders. What it can't see are cgroup folders whose
// owner had a /run of its own.
func SweepFolders() (removed []string, err error) {
	var errs []error
	entries, _ := os.ReadDir(runDir)
	for _, e := range entries {
		if !isID(e.Name()) {
			continue
		}
		f, alive := claim(filepath.Join(runDir, e.Name()))
		if alive || f == nil {
			continue
		}
		gone, err := bury(f)
		removed, errs = append(removed, gone...), append(errs, err)
		f.Close()
	}
	return removed, errors.Join(errs...)
}

// bury removes all that is left of the testbed whose run folder f is, locked by
// us: the folder last, as its name is what tells whose the rest was.
func bury(f *os.File) (removed []string, err error) {
	removed, err = removeCgroups(recorded(f))
	if err != nil {
		return removed, err
	}
	gone, err := buryWork(f)
	removed = append(removed, gone...)
	if err != nil {
		return removed, err
	}
	if err := removeFolder(f); err != nil {
		return removed, err
	}
	return append(removed, f.Name()), nil
}

// recorded lists the cgroup folders that a testbed's run folder leads to and that
// are there. It is open, and maybe covered: its links are read through it.
func recorded(f *os.File) (dirs []string) {
	fd, err := unix.Openat(int(f.Fd()), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	own := os.NewFile(uintptr(fd), f.Name()) // reading moves an offset
	defer own.Close()
	names, _ := own.Readdirnames(-1)
	for _, name := range names {
		if !strings.HasPrefix(name, groupLink) {
			continue
		}
		buf := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(fd, name, buf)
		if err == nil && cgroup.IsFolder(string(buf[:n]), filepath.Base(f.Name())) {
			dirs = append(dirs, string(buf[:n]))
		}
	}
	return dirs
}

func removeCgroups(dirs []string) (removed []string, err error) {
	var errs []error
	for _, dir := range dirs {
		if err := cgroup.RemoveAll(dir); err != nil {
			errs = append(errs, err)
			continue
		}
		removed = append(removed, dir)
	}
	return removed, errors.Join(errs...)
}

// claim locks the folder of a testbed whose owner is dead. It says that the
// owner is alive where it holds the lock, or where we can't tell.
func claim(dir string) (f *os.File, alive bool) {
	f, err := input.OpenFolder(dir)
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
