package image

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"lab/bench/input"
)

// An Entry is a file that a CPIO archive holds beside the image's own: a
// guest's init, a kernel module, a device node. A later entry of the same name
// replaces an earlier one when a kernel unpacks the archive.
type Entry struct {
	Name   string      // relative, with slashes: "dev/console"
	Mode   fs.FileMode // type and permissions
	Data   []byte      // a regular file's content, a link's target
	Device uint64      // a device node's number, as unix.Mkdev makes it
}

// WriteCPIO writes the tree as an archive that a Linux kernel takes as its
// initramfs: the "newc" format (Documentation/driver-api/early-userspace/
// buffer-format.rst of the kernel), uncompressed, since unpacking it would
// cost the guest more than reading it costs the host.
//
// The same tree and entries give the same bytes on every machine: names are in
// lexical order, times are zero, inodes are counted, and everything belongs to
// root, as owners are no part of an image (see Sum). A Ref without a folder has
// the entries alone.
func (r Ref) WriteCPIO(w io.Writer, more ...Entry) error {
	c := &cpio{w: bufio.NewWriterSize(w, 1<<20)}
	err := c.tree(r.Dir)
	for _, e := range more {
		if err == nil {
			err = c.entry(e)
		}
	}
	if err == nil {
		err = c.header("TRAILER!!!", 0, 0, 0)
	}
	if err == nil {
		err = c.w.Flush()
	}
	if err != nil {
		return fmt.Errorf("image: initramfs of %s: %w", r.Dir, err)
	}
	return nil
}

// cpio writes one archive.
type cpio struct {
	w   *bufio.Writer
	ino uint32
	n   int64 // bytes written
}

// tree writes all that is in a folder.
func (c *cpio) tree(dir string) error {
	if dir == "" {
		return nil
	}
	return input.Walk(dir, func(name, rel string, info fs.FileInfo) error {
		if rel == "." {
			return nil
		}
		return c.file(name, rel, info)
	})
}

// file writes an entry of the tree. Sockets and pipes are left out: a program
// makes its own.
func (c *cpio) file(name, rel string, info fs.FileInfo) error {
	e := Entry{Name: rel, Mode: info.Mode()}
	switch info.Mode().Type() {
	case fs.ModeDir:
	case fs.ModeSymlink:
		target, err := os.Readlink(name)
		if err != nil {
			return err
		}
		e.Data = []byte(target)
	case fs.ModeDevice | fs.ModeCharDevice, fs.ModeDevice:
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return &os.PathError{Op: "lstat", Path: name, Err: err}
		}
		e.Device = uint64(st.Rdev)
	case 0:
		f, err := input.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := c.header(rel, UnixMode(e.Mode), info.Size(), 0); err != nil {
			return err
		}
		// Exactly the size that the header says, also when somebody is
		// writing the file.
		if err := c.copy(io.LimitReader(f, info.Size()), info.Size()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return c.pad()
	default:
		return nil
	}
	return c.entry(e)
}

func (c *cpio) entry(e Entry) error {
	if e.Name == "" || path.IsAbs(e.Name) || path.Clean(e.Name) != e.Name {
		return fmt.Errorf("entry %q: the name isn't a clean relative path", e.Name)
	}
	if err := c.header(e.Name, UnixMode(e.Mode), int64(len(e.Data)), e.Device); err != nil {
		return err
	}
	if err := c.write(e.Data); err != nil {
		return err
	}
	return c.pad()
}

// header writes an entry's header and name: a magic number and 13 fields of
// eight hexadecimal digits, the name and its NUL, padded to four bytes.
func (c *cpio) header(name string, mode uint32, size int64, dev uint64) error {
	if size >= 1<<32 {
		return fmt.Errorf("%s: %d bytes are more than a newc archive can hold", name, size)
	}
	c.ino++
	links := 1
	if mode&unix.S_IFMT == unix.S_IFDIR {
		links = 2
	}
	// ino, mode, uid, gid, nlink, mtime, filesize, the device it lies on
	// (major, minor), its own device number (major, minor), namesize, check.
	// The kernel takes entries of one inode and device for hard links, so
	// inodes are counted.
	h := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		c.ino, mode, 0, 0, links, 0, size, 0, 0, unix.Major(dev), unix.Minor(dev), len(name)+1, 0, name)
	if err := c.write([]byte(h)); err != nil {
		return err
	}
	return c.pad()
}

func (c *cpio) write(b []byte) error {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return err
}

func (c *cpio) copy(r io.Reader, size int64) error {
	n, err := io.Copy(c.w, r)
	c.n += n
	if err == nil && n != size {
		err = fmt.Errorf("it shrank from %d to %d bytes while it was read", size, n)
	}
	return err
}

func (c *cpio) pad() error { return c.write(make([]byte, -c.n&3)) }

// UnixMode writes Go's mode as stat(2) does.
func UnixMode(m fs.FileMode) uint32 {
	u := uint32(m.Perm())
	for _, b := range []struct {
		mode fs.FileMode
		unix uint32
	}{
		{fs.ModeSetuid, unix.S_ISUID}, {fs.ModeSetgid, unix.S_ISGID}, {fs.ModeSticky, unix.S_ISVTX},
	} {
		if m&b.mode != 0 {
			u |= b.unix
		}
	}
	switch m.Type() {
	case fs.ModeDir:
		return u | unix.S_IFDIR
	case fs.ModeSymlink:
		return u | unix.S_IFLNK
	case fs.ModeDevice | fs.ModeCharDevice:
		return u | unix.S_IFCHR
	case fs.ModeDevice:
		return u | unix.S_IFBLK
	}
	return u | unix.S_IFREG
}
