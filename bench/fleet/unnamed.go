package fleet

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// unnamed is a new file in a folder, without a name as long as it isn't whole: of a lab
// that is killed meanwhile nothing stays. Not every file system has such; there it has a
// name of its own.
func unnamed(dir string) (*os.File, error) {
	if f, err := os.OpenFile(dir, unix.O_TMPFILE|os.O_RDWR, 0o600); err == nil {
		return f, nil
	}
	return os.CreateTemp(dir, ".bundle-*")
}

// linked says whether a file has a name.
func linked(f *os.File) bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) == nil && st.Nlink > 0
}

// discard removes what unnamed made, if it has a name of its own.
func discard(f *os.File) {
	if linked(f) {
		os.Remove(f.Name())
	}
	f.Close()
}

// name gives it the name file, in one step: what was called so is replaced.
func name(f *os.File, file string) error {
	from := f.Name()
	if !linked(f) {
		// link(2) replaces nothing; for a moment it is called as one that was given up.
		from = filepath.Join(filepath.Dir(file), fmt.Sprintf(".bundle-%d", os.Getpid()))
		os.Remove(from) // of another with this number, which is gone
		if err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.AT_FDCWD, from, unix.AT_SYMLINK_FOLLOW); err != nil {
			return &os.LinkError{Op: "link", Old: "a file without a name", New: file, Err: err}
		}
	}
	if err := os.Rename(from, file); err != nil {
		os.Remove(from)
		return err
	}
	return nil
}
