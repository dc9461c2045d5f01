// Package layer makes folders of an image's layers: [Unpack] makes one folder of
// one layer, as an overlay takes it for a lower folder, and [Merge] one tree of
// several such folders.
//
// A layer is somebody else's, and all this runs as root. So every name is
// resolved by the kernel below the folder (openat2(2), RESOLVE_IN_ROOT), nothing
// is written through a link in a name's last part, device nodes are left out,
// only harmless extended attributes are kept, and [Room] bounds what is made.
package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrRoom is wrapped by the errors of a layer that is too large.
var ErrRoom = errors.New("too large")

// Room is what is left for the layers of an image: each takes its part.
type Room struct {
	Entries int   // files, folders, links
	Bytes   int64 // of all files, holes counted; and of the layers' archives
}

// Left is what [Unpack] didn't make.
type Left struct {
	Devices    int // device nodes: every environment makes its own
	Attributes int // extended attributes that concern the host's kernel
}

// Names in an archive that say what is no longer there (image-spec, layer.md).
const (
	whitePrefix = ".wh."
	whiteMeta   = ".wh..wh."
	whiteOpaque = ".wh..wh..opq"
)

// maxName is the longest name of an entry in bytes: with the store's own path
// before it, it has to fit the kernel's 4,096.
const maxName = 3500

// An unpacker fills one folder.
type unpacker struct {
	root  int // descriptor of the folder
	room  *Room
	left  Left
	times map[string]time.Time // of folders: what is put into one changes its time
}

// Unpack makes the tree of a layer's uncompressed archive in the folder dir,
// which must be empty, and reads r to its end. Owners, modes, times, hard links, file capabilities and
// users' attributes are kept, which needs root. What the layer removes from those
// below it becomes a whiteout or an opaque folder of overlayfs. Where an archive
// has a name twice, the later entry counts.
func Unpack(r io.Reader, dir string, room *Room) (Left, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return Left{}, fmt.Errorf("unpack into %s: %w", dir, err)
	}
	defer unix.Close(fd)
	u := &unpacker{root: fd, room: room, times: map[string]time.Time{}}
	m := &metered{r, room}
	t := tar.NewReader(m)
	for n := 1; ; n++ {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return u.left, fmt.Errorf("entry %d: %w", n, err)
		}
		if room.Entries--; room.Entries < 0 {
			return u.left, fmt.Errorf("entry %d: %w: the image has more files than are unpacked", n, ErrRoom)
		}
		if err := u.entry(t, h); err != nil {
			return u.left, fmt.Errorf("entry %d, %q: %w", n, h.Name, err)
		}
	}
	// What is behind the archive's end is part of the layer's digest.
	if _, err := io.Copy(io.Discard, m); err != nil {
		return u.left, err
	}
	for name, at := range u.times {
		if err := u.setTime(name, at); err != nil {
			return u.left, fmt.Errorf("%q: set its time: %w", name, err)
		}
	}
	return u.left, nil
}

// metered reads an archive, and takes its bytes from the room.
type metered struct {
	r    io.Reader
	room *Room
}

func (m *metered) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	if m.room.Bytes -= int64(n); m.room.Bytes < 0 {
		return 0, fmt.Errorf("%w: the archive doesn't end within the bytes that are unpacked", ErrRoom)
	}
	return n, err
}

// clean is an entry's name below the root: "." or "a/b".
func clean(name string) (string, error) {
	if len(name) > maxName {
		return "", fmt.Errorf("its name has more than %d bytes", maxName)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errors.New(`".." in a name leads out of the image`)
		}
	}
	if name = path.Clean("/" + name)[1:]; name == "" {
		name = "."
	}
	return name, nil
}

func (u *unpacker) entry(r io.Reader, h *tar.Header) error {
	name, err := clean(h.Name)
	if err != nil || h.Typeflag == tar.TypeXGlobalHeader {
		return err
	}
	if h.Uid < 0 || h.Gid < 0 || int64(h.Uid) >= 1<<32-1 || int64(h.Gid) >= 1<<32-1 {
		return fmt.Errorf("its owner %d:%d is no user and group", h.Uid, h.Gid)
	}
	if name == "." {
		if h.Typeflag != tar.TypeDir {
			return errors.New("the image's root isn't a folder")
		}
		u.times[name] = h.ModTime
		return u.dress(u.root, ".", h)
	}
	parent, err := u.open(path.Dir(name))
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	base := path.Base(name)
	if strings.HasPrefix(base, whitePrefix) {
		return whiteout(parent, base)
	}
	switch h.Typeflag {
	case tar.TypeChar, tar.TypeBlock:
		u.left.Devices++
		return nil
	case tar.TypeDir:
		if err := folder(parent, base); err != nil {
			return err
		}
		u.times[name] = h.ModTime
		unmark(parent, base)
		return u.dress(parent, base, h)
	case tar.TypeLink:
		return u.link(parent, base, h.Linkname)
	}
	if err := remove(parent, base); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont:
		return u.file(r, parent, base, h)
	case tar.TypeSymlink:
		err = unix.Symlinkat(h.Linkname, parent, base)
	case tar.TypeFifo:
		err = unix.Mknodat(parent, base, unix.S_IFIFO|0o600, 0)
	default:
		return fmt.Errorf("an entry of type %q is neither file, folder nor link", h.Typeflag)
	}
	if err != nil {
		return err
	}
	return u.dress(parent, base, h)
}

// open opens the folder of a name. What is missing on the way is made, and
// marked, as the archive says nothing about it.
func (u *unpacker) open(name string) (int, error) {
	fd, err := u.resolve(name, unix.O_DIRECTORY)
	if err != unix.ENOENT && err != unix.ENOTDIR || name == "." {
		return fd, explain(err)
	}
	parent, err := u.open(path.Dir(name))
	if err != nil {
		return -1, err
	}
	defer unix.Close(parent)
	base := path.Base(name)
	if st, err := lstat(parent, base); err == nil && !isWhiteout(st) {
		return -1, fmt.Errorf("%q on its way is neither a folder nor a link to one in this layer", name)
	}
	if u.room.Entries--; u.room.Entries < 0 {
		return -1, fmt.Errorf("%w: the image has more files than are unpacked", ErrRoom)
	}
	if err := folder(parent, base); err != nil {
		return -1, err
	}
	if err := mark(parent, base, implicitAttr); err != nil {
		return -1, err
	}
	fd, err = u.resolve(name, unix.O_DIRECTORY)
	return fd, explain(err)
}

// resolve opens what a name stands for below the root, links included: to them,
// the root is "/".
func (u *unpacker) resolve(name string, flags uint64) (int, error) {
	return unix.Openat2(u.root, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC | flags,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
}

func explain(err error) error {
	if err == unix.ELOOP {
		return errors.New("the links on its way go round in a circle")
	}
	return err
}

// link makes a hard link to an entry of this layer.
func (u *unpacker) link(parent int, base, target string) error {
	name, err := clean(target)
	if err != nil {
		return fmt.Errorf("hard link to %q: %w", target, err)
	}
	from, err := u.resolve(path.Dir(name), unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("hard link to %q, which isn't in this layer: %w", target, err)
	}
	defer unix.Close(from)
	st, err := lstat(from, path.Base(name))
	if err != nil || isWhiteout(st) {
		return fmt.Errorf("hard link to %q, which isn't in this layer", target)
	}
	if old, err := lstat(parent, base); err == nil && old.Ino == st.Ino && old.Dev == st.Dev {
		return nil // to itself: removing it first would lose it
	}
	if err := remove(parent, base); err != nil {
		return err
	}
	if err := unix.Linkat(from, path.Base(name), parent, base, 0); err != nil {
		return fmt.Errorf("hard link to %q: %w", target, err)
	}
	return nil
}

// file writes a regular file. Blocks of zeros become holes.
func (u *unpacker) file(r io.Reader, parent int, base string, h *tar.Header) error {
	if u.room.Bytes -= h.Size; h.Size < 0 || u.room.Bytes < 0 {
		return fmt.Errorf("%w: with its %d bytes the image has more than are unpacked", ErrRoom, h.Size)
	}
	fd, err := unix.Openat(parent, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	err = fill(fd, r)
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return u.dress(parent, base, h)
}

// setTime sets a folder's time, if it is still one.
func (u *unpacker) setTime(name string, at time.Time) error {
	fd, err := u.resolve(name, unix.O_DIRECTORY|unix.O_NOFOLLOW)
	if errors.Is(err, fs.ErrNotExist) || err == unix.ENOTDIR || err == unix.ELOOP {
		return nil // a later entry took its place
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return touch(fd, ".", at)
}
