package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Marks on folders of a layer.
const (
	opaqueAttr   = "trusted.overlay.opaque" // hides what is below it: overlayfs.rst
	implicitAttr = "trusted.lab.implicit"   // the layer has what is in it, and doesn't say whose it is
)

// lstat is about an entry itself, and not about what it links to.
func lstat(parent int, base string) (st unix.Stat_t, err error) {
	err = unix.Fstatat(parent, base, &st, unix.AT_SYMLINK_NOFOLLOW)
	return st, err
}

func isWhiteout(st unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0 }

// procPath names an entry for the system calls that take no descriptor.
func procPath(parent int, base string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", parent, base)
}

func mark(parent int, base, attr string) error {
	err := unix.Lsetxattr(procPath(parent, base), attr, []byte("y"), 0)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return errors.New("this file system keeps no extended attributes; name a cache folder on ext4, xfs or btrfs with LAB_CACHE")
	}
	return err
}

// unmark says that a folder's own entry has come.
func unmark(parent int, base string) { unix.Lremovexattr(procPath(parent, base), implicitAttr) }

func has(name, attr string) bool {
	n, err := unix.Lgetxattr(name, attr, nil)
	return err == nil && n > 0
}

// whiteout keeps what an entry named ".wh.…" says.
func whiteout(parent int, base string) error {
	if base == whiteOpaque {
		return mark(parent, ".", opaqueAttr)
	}
	if strings.HasPrefix(base, whiteMeta) {
		return nil // of aufs, for itself
	}
	name := strings.TrimPrefix(base, whitePrefix)
	if name == "" || name == "." || name == ".." {
		return errors.New("it removes nothing that has a name")
	}
	// What the layer itself has of this name stays: it hides the layers below alone.
	st, err := lstat(parent, name)
	switch {
	case err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return mark(parent, name, opaqueAttr)
	case err == nil:
		return nil
	}
	return unix.Mknodat(parent, name, unix.S_IFCHR, 0)
}

// folder makes a folder, or takes the one that is there.
func folder(parent int, base string) error {
	st, err := lstat(parent, base)
	if err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return nil
	}
	if err := remove(parent, base); err != nil {
		return err
	}
	if err := unix.Mkdirat(parent, base, 0o755); err != nil {
		return err
	}
	if err := unix.Fchmodat(parent, base, 0o755, 0); err != nil { // whatever the umask is
		return err
	}
	if isWhiteout(st) {
		return mark(parent, base, opaqueAttr)
	}
	return nil
}

// remove makes room for an entry.
func remove(parent int, base string) error {
	err := unix.Unlinkat(parent, base, 0)
	if err == unix.EISDIR || err == unix.EPERM {
		return os.RemoveAll(procPath(parent, base))
	}
	if err == unix.ENOENT {
		return nil
	}
	return err
}

// fill writes a file's content. A megabyte of zeros costs no disk.
func fill(fd int, r io.Reader) error {
	buf := make([]byte, 64<<10)
	var at, end int64
	for {
		n, err := io.ReadFull(r, buf)
		if b := buf[:n]; n > 0 {
			if !zeros(b) {
				if _, err := unix.Pwrite(fd, b, at); err != nil {
					return err
				}
				end = at + int64(n)
			}
			at += int64(n)
		}
		switch err {
		case nil:
			continue
		case io.EOF, io.ErrUnexpectedEOF:
			if at > end {
				return unix.Ftruncate(fd, at)
			}
			return nil
		}
		return err
	}
}

func zeros(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// dress gives an entry its owner, attributes, mode and time. The owner comes
// first: changing it takes setuid bits and capabilities away.
func (u *unpacker) dress(parent int, base string, h *tar.Header) error {
	if err := unix.Fchownat(parent, base, h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set its owner: %w", err)
	}
	for name, value := range h.PAXRecords {
		attr, ok := strings.CutPrefix(name, "SCHILY.xattr.")
		if !ok {
			continue
		}
		if !harmless(attr) {
			u.left.Attributes++
			continue
		}
		err := unix.Lsetxattr(procPath(parent, base), attr, []byte(value), 0)
		if err == unix.EPERM { // a link or a pipe has no user's attributes (xattr(7))
			u.left.Attributes++
			continue
		}
		if err != nil {
			return fmt.Errorf("set its attribute %q: %w", attr, err)
		}
	}
	if h.Typeflag != tar.TypeSymlink {
		if err := unix.Fchmodat(parent, base, uint32(h.Mode)&0o7777, 0); err != nil {
			return fmt.Errorf("set its mode: %w", err)
		}
	}
	return touch(parent, base, h.ModTime)
}

// harmless says whether an attribute means something to the programs of an image,
// and nothing to the host's overlayfs, security modules or integrity checks.
func harmless(attr string) bool {
	return attr == "security.capability" || strings.HasPrefix(attr, "system.posix_acl_") ||
		strings.HasPrefix(attr, "user.") && !strings.HasPrefix(attr, "user.overlay.")
}

// touch sets an entry's times of change and access.
func touch(parent int, base string, at time.Time) error {
	t := unix.Timespec{Sec: at.Unix(), Nsec: int64(at.Nanosecond())}
	return unix.UtimesNanoAt(parent, base, []unix.Timespec{t, t}, unix.AT_SYMLINK_NOFOLLOW)
}
