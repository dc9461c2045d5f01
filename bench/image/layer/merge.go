package layer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Merge makes in the empty folder dir the tree that an overlay of the layers
// would show; the lowest comes first. Files are hard links to those of the layers:
// a tree costs its folders alone. The layers are [Unpack]'s, and on the same file
// system. It needs root.
func Merge(layers []string, dir string) error {
	from := map[string]string{} // by a folder's name in the tree: the layer's folder that says whose it is
	for _, l := range layers {
		err := filepath.WalkDir(l, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(l, name)
			if err != nil {
				return err
			}
			return mergeEntry(name, dir, rel, d, from)
		})
		if err != nil {
			return fmt.Errorf("merge layer %s: %w", filepath.Base(l), err)
		}
	}
	root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("merge layers: %w", err)
	}
	defer unix.Close(root)
	for rel, name := range from {
		if err := likeFolder(name, root, rel); err != nil {
			return fmt.Errorf("merge layers: folder %q: %w", rel, err)
		}
	}
	return nil
}

func mergeEntry(name, dir, rel string, d fs.DirEntry, from map[string]string) error {
	to := filepath.Join(dir, rel)
	var there unix.Stat_t
	missing := unix.Lstat(to, &there) != nil
	isDir := !missing && there.Mode&unix.S_IFMT == unix.S_IFDIR
	if !d.IsDir() {
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return err
		}
		if !missing {
			if err := os.RemoveAll(to); err != nil {
				return err
			}
		}
		if isWhiteout(st) {
			return nil
		}
		return unix.Linkat(unix.AT_FDCWD, name, unix.AT_FDCWD, to, 0)
	}
	if rel == "." && has(name, opaqueAttr) { // the layer hides all below it
		if err := empty(to); err != nil {
			return err
		}
	} else if !missing && (!isDir || has(name, opaqueAttr)) {
		if err := os.RemoveAll(to); err != nil {
			return err
		}
		missing = true
	}
	if missing {
		if err := os.Mkdir(to, 0o755); err != nil {
			return err
		}
	}
	if missing || !has(name, implicitAttr) {
		from[rel] = name
	}
	return nil
}

// empty removes all that is in a folder.
func empty(dir string) error {
	names, err := os.ReadDir(dir)
	for _, n := range names {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, n.Name())))
	}
	return err
}

// likeFolder gives a folder of the tree the owner, mode, attributes and times of a
// layer's. What a later layer put in its place, or in that of one above it, is left
// alone: a link there could lead anywhere.
func likeFolder(name string, root int, rel string) error {
	fd, err := unix.Openat2(root, rel, &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS})
	switch err {
	case nil:
	case unix.ENOENT, unix.ENOTDIR, unix.ELOOP:
		return nil
	default:
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return err
	}
	if err := unix.Fchown(fd, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	attrs, err := Attributes(name)
	if err != nil {
		return err
	}
	for attr, value := range attrs {
		if err := unix.Fsetxattr(fd, attr, value, 0); err != nil {
			return err
		}
	}
	if err := unix.Fchmod(fd, st.Mode&0o7777); err != nil {
		return err
	}
	return unix.UtimesNanoAt(fd, ".", []unix.Timespec{st.Atim, st.Mtim}, 0)
}

// Attributes are an entry's extended attributes, without the marks of overlays and
// of this package.
func Attributes(name string) (map[string][]byte, error) {
	list := make([]byte, 64<<10) // the kernel's bound, XATTR_LIST_MAX
	n, err := unix.Llistxattr(name, list)
	if err != nil {
		if err == unix.EOPNOTSUPP {
			return nil, nil
		}
		return nil, err
	}
	out := map[string][]byte{}
	for attr := range strings.SplitSeq(string(list[:n]), "\x00") {
		if attr == "" || !harmless(attr) {
			continue
		}
		value := make([]byte, 64<<10) // XATTR_SIZE_MAX
		n, err := unix.Lgetxattr(name, attr, value)
		if err != nil {
			return nil, err
		}
		out[attr] = value[:n]
	}
	return out, nil
}

// Stackable says whether an overlay of the layers shows the tree that [Merge]
// makes of them: not where one has a folder that it says nothing about, or hides
// all that is below it.
func Stackable(layers []string) (bool, error) {
	stack := true
	for _, l := range layers {
		err := filepath.WalkDir(l, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && (has(name, implicitAttr) || name == l && has(name, opaqueAttr)) {
				stack = false
				return fs.SkipAll
			}
			return err
		})
		if err != nil || !stack {
			return false, err
		}
	}
	return stack && len(layers) > 0, nil
}
