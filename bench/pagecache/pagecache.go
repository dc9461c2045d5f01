// Package pagecache drives chosen files out of the kernel's page cache, so that
// whoever reads them next reads them from their file system.
//
// It touches the named files and no other: what everybody else has in memory
// stays there, which writing to /proc/sys/vm/drop_caches would throw away. What
// the kernel knows of names and inodes stays, too, and so does what lies below
// the file system: a drive's own cache, or that of a machine which this one is a
// guest of.
package pagecache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A StayedError says that pages of a file stayed in memory: somebody has them
// mapped or locked, or the file system has no other place for them (tmpfs).
type StayedError struct {
	Path           string
	Resident, Size int64 // bytes, whole pages
}

func (e *StayedError) Error() string {
	return fmt.Sprintf("page cache: %d of %d KiB of %s stay in memory", e.Resident>>10, e.Size>>10, e.Path)
}

// Drop drives the files out of the page cache, and those below the folders, and
// looks whether they are: the error then is a *[StayedError]. Links aren't
// followed; what is no regular file has no pages. The caller must be root or own
// the files.
func Drop(paths ...string) error {
	for _, p := range paths {
		err := filepath.WalkDir(p, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NOATIME, 0)
			if err != nil {
				return err
			}
			return errors.Join(DropFile(f), f.Close())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// DropFile is Drop for an open file.
func DropFile(f *os.File) error {
	fd := int(f.Fd())
	// Pages that differ from the file on the disk can't be dropped.
	if err := unix.Fdatasync(fd); err != nil && !errors.Is(err, unix.EROFS) && !errors.Is(err, unix.EINVAL) {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
	}
	// A length of 0 is all of it: a last page that isn't full would stay else.
	if err := unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED); err != nil {
		return &os.PathError{Op: "fadvise", Path: f.Name(), Err: err}
	}
	resident, size, err := Resident(f)
	if err == nil && resident > 0 {
		err = &StayedError{f.Name(), resident, size}
	}
	return err
}

// Resident is how many bytes of a file are in the page cache, of how many, both
// in whole pages. The caller must be root or own the file: to others mincore(2)
// says that all of it is there.
func Resident(f *os.File) (resident, size int64, err error) {
	st, err := f.Stat()
	if err != nil || st.Size() == 0 {
		return 0, 0, err
	}
	// Mapped and not touched: a mapping by itself brings no page in.
	m, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return 0, 0, &os.PathError{Op: "mmap", Path: f.Name(), Err: err}
	}
	defer unix.Munmap(m)
	page := int64(os.Getpagesize())
	in := make([]byte, (st.Size()+page-1)/page)
	if _, _, e := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)), uintptr(unsafe.Pointer(&in[0]))); e != 0 {
		return 0, 0, &os.PathError{Op: "mincore", Path: f.Name(), Err: e}
	}
	for _, b := range in {
		resident += int64(b&1) * page
	}
	return resident, int64(len(in)) * page, nil
}
