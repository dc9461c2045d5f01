package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/image"
	"lab/bench/pagecache"
)

// A Data is the file behind a guest's data disk. It has no name: it is gone
// when the last descriptor on it is closed, the lab's and QEMU's, however they
// end.
type Data struct {
	f    *os.File
	dir  string
	name string // on a file system that has no files without one, until QEMU has it
}

// NewData makes a file of a size in a folder, with an empty file system in
// it. All of its room is taken at once: a disk that turned out to be too large
// for its host would make the guest stand still half way.
func NewData(ctx context.Context, dir string, size int64) (d *Data, err error) {
	sweepDisks(dir)
	f, name, err := newFile(dir)
	if err != nil {
		return nil, fmt.Errorf("data disk: %w", err)
	}
	d = &Data{f, dir, name}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("data disk: %w", err), d.Close())
			d = nil
		}
	}()
	if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
		return d, fmt.Errorf("take %d MiB of %s: %w", size>>20, dir, err)
	}
	return d, image.FormatExt4(ctx, d.path())
}

// newFile opens a new file without a name, or with one on a file system that
// can't.
func newFile(dir string) (f *os.File, name string, err error) {
	f, err = os.OpenFile(dir, unix.O_TMPFILE|os.O_RDWR, 0o600)
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) {
		return f, "", err
	}
	if f, err = os.CreateTemp(dir, diskPrefix+"*"); err == nil {
		name = f.Name()
	}
	return f, name, err
}

// path is how another process of the testbed opens the file: through the lab's
// own descriptor. A file without a name has no other path.
func (d *Data) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), d.f.Fd()) }

// Show gives the file to a user, and a name for as long as mount takes: the kernel
// mounts what has a name.
func (d *Data) Show(as string, uid, gid int, mount func(name string) error) (err error) {
	if err := d.f.Chown(uid, gid); err != nil {
		return fmt.Errorf("%w: QEMU runs as another user, and the file system keeps no owners; fix: --work FOLDER on another", err)
	}
	if d.name == "" {
		name := filepath.Join(d.dir, diskPrefix+as)
		if err := unix.Linkat(unix.AT_FDCWD, d.path(), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW); err != nil {
			return &os.LinkError{Op: "link", Old: "data disk", New: name, Err: err}
		}
		d.name = name
	}
	defer func() { err = errors.Join(err, d.unname()) }()
	return mount(d.name)
}

// diskPrefix begins the names that data disks have for a moment.
const diskPrefix = ".lab-disk-"

// sweepDisks removes the disks of labs that were killed in that moment.
func sweepDisks(dir string) {
	old, _ := filepath.Glob(filepath.Join(dir, diskPrefix+"*"))
	for _, name := range old {
		if st, err := os.Lstat(name); err == nil && st.Mode().IsRegular() && time.Since(st.ModTime()) > time.Minute {
			os.Remove(name)
		}
	}
}

// Close gives the file up.
func (d *Data) Close() error {
	if d == nil {
		return nil
	}
	return errors.Join(d.unname(), d.f.Close())
}

func (d *Data) unname() error {
	name := d.name
	if d.name = ""; name == "" {
		return nil
	}
	return os.Remove(name)
}

// TakesDirect says whether files of a folder can be opened for direct I/O.
func TakesDirect(dir string) bool {
	f, name, err := newFile(dir)
	if err != nil {
		return false
	}
	d := &Data{f: f, name: name}
	defer d.Close()
	g, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_RDWR|unix.O_DIRECT, 0)
	if err != nil {
		return false
	}
	return g.Close() == nil
}

// Drop drives it out of the host's page cache, or as much as the file system allows.
func (d *Data) Drop() error {
	if d == nil {
		return nil
	}
	err := pagecache.DropFile(d.f)
	if stayed := (*pagecache.StayedError)(nil); err == nil || errors.As(err, &stayed) {
		return nil
	}
	return fmt.Errorf("data disk: %w", err)
}
