package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/input"
)

// Pack writes the tree at dir as a layer's uncompressed archive. The same tree
// gives the same bytes: names are in lexical order. Device nodes and sockets are
// left out.
func Pack(w io.Writer, dir string) error {
	t := tar.NewWriter(w)
	first := map[[2]uint64]string{} // of files with several names, by device and inode
	err := input.Walk(dir, func(name, rel string, _ fs.FileInfo) error { return packEntry(t, name, rel, first) })
	if err = errors.Join(err, t.Close()); err != nil {
		return fmt.Errorf("pack %s: %w", dir, err)
	}
	return nil
}

func packEntry(t *tar.Writer, name, rel string, first map[[2]uint64]string) error {
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return &os.PathError{Op: "lstat", Path: name, Err: err}
	}
	h := &tar.Header{Name: filepath.ToSlash(rel), Mode: int64(st.Mode & 0o7777), Uid: int(st.Uid), Gid: int(st.Gid),
		ModTime: time.Unix(st.Mtim.Unix()), Format: tar.FormatPAX, PAXRecords: map[string]string{}}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
	case unix.S_IFLNK:
		to, err := os.Readlink(name)
		if err != nil {
			return err
		}
		h.Typeflag, h.Linkname = tar.TypeSymlink, to
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	case unix.S_IFREG:
		h.Typeflag, h.Size = tar.TypeReg, st.Size
	default:
		return nil
	}
	inode := [2]uint64{st.Dev, st.Ino}
	if to, ok := first[inode]; ok && st.Nlink > 1 {
		h.Typeflag, h.Linkname, h.Size = tar.TypeLink, to, 0
		return t.WriteHeader(h)
	}
	if st.Nlink > 1 && h.Typeflag != tar.TypeDir {
		first[inode] = h.Name
	}
	attrs, err := Attributes(name)
	if err != nil {
		return &os.PathError{Op: "read the attributes of", Path: name, Err: err}
	}
	for k, v := range attrs {
		h.PAXRecords["SCHILY.xattr."+k] = string(v)
	}
	if err := t.WriteHeader(h); err != nil || h.Typeflag != tar.TypeReg {
		return err
	}
	f, err := input.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	// As many bytes as the header says: more is an error of the writer's, less of
	// the next header's.
	_, err = io.Copy(t, io.LimitReader(f, h.Size))
	return err
}
