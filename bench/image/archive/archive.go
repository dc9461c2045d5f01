// Package archive writes and reads an image as a compressed tar archive. It isn't
// part of package image, as each program that starts something links that.
package archive

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/image"
	"lab/bench/input"
	"lab/bench/owner"
)

// Write writes the tree at dir as a compressed tar archive that [Unpack] makes
// the same tree of, with the same digest. The same tree gives the same bytes:
// names are in lexical order, times are zero, and everything belongs to root, as
// owners are no part of an image (see image.Sum). A device node or socket in the tree
// is an error.
func Write(dir string, w io.Writer) error {
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	err := input.Walk(dir, func(name, rel string, info fs.FileInfo) (err error) {
		h := &tar.Header{Name: filepath.ToSlash(rel), Mode: int64(image.UnixMode(info.Mode()) &^ unix.S_IFMT), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
		switch {
		case info.IsDir():
			h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
		case info.Mode()&fs.ModeSymlink != 0:
			h.Typeflag = tar.TypeSymlink
			if h.Linkname, err = os.Readlink(name); err != nil {
				return err
			}
		case info.Mode().IsRegular():
			h.Typeflag, h.Size = tar.TypeReg, info.Size()
		default:
			return fmt.Errorf("%s is neither a file, a folder nor a link, and can't be saved; leave it out of the image", name)
		}
		if err := t.WriteHeader(h); err != nil || h.Typeflag != tar.TypeReg {
			return err
		}
		f, err := input.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(t, f)
		return err
	})
	if err = errors.Join(err, t.Close(), z.Close()); err != nil {
		return fmt.Errorf("image: save %s: %w", dir, err)
	}
	return nil
}

// maxEntries bounds what is unpacked: an image is somebody else's.
const maxEntries = 1_000_000

// Unpack makes the tree of an archive in the folder dir, which must be empty.
// What it makes belongs to uid and gid. Names that lead out of dir are an error,
// and so is what [Write] doesn't write.
func Unpack(r io.Reader, dir string, uid, gid int) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("image: unpack: %w", err)
	}
	defer root.Close()
	z, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("image: unpack: not a compressed archive: %w", err)
	}
	t := tar.NewReader(z)
	modes := map[string]fs.FileMode{} // of folders: one without write permission is filled first
	left := int64(image.MaxUnpacked)
	for n := 1; ; n++ {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err == nil && n > maxEntries {
			err = errors.New("too many files")
		}
		if err == nil {
			err = unpackEntry(root, t, h, modes, &left, uid, gid)
		}
		if err != nil {
			return fmt.Errorf("image: unpack: entry %d: %w", n, err)
		}
	}
	// To its end, where the sum of all bytes stands.
	if _, err := io.Copy(io.Discard, z); err != nil {
		return fmt.Errorf("image: unpack: %w", err)
	}
	for name, mode := range modes {
		if err := root.Chmod(name, mode); err != nil {
			return fmt.Errorf("image: unpack: %w", err)
		}
	}
	return nil
}

func unpackEntry(root *os.Root, r io.Reader, h *tar.Header, modes map[string]fs.FileMode, left *int64, uid, gid int) error {
	name := filepath.Clean(filepath.FromSlash(h.Name))
	if !filepath.IsLocal(name) {
		return fmt.Errorf("%q leads out of the image", h.Name)
	}
	mode := h.FileInfo().Mode()
	mode = mode.Perm() | mode&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky)
	switch h.Typeflag {
	case tar.TypeDir:
		if err := root.Mkdir(name, 0o700); err != nil && (name != "." || !errors.Is(err, fs.ErrExist)) {
			return err
		}
		modes[name] = mode
		return owner.Courtesy(root.Lchown(name, uid, gid))
	case tar.TypeSymlink:
		if err := root.Symlink(h.Linkname, name); err != nil {
			return err
		}
		return owner.Courtesy(root.Lchown(name, uid, gid))
	case tar.TypeReg:
		if *left -= h.Size; h.Size < 0 || *left < 0 {
			return errors.New("too many bytes")
		}
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, r)
		// The owner first: changing it takes the bits of setuid away.
		return errors.Join(err, owner.Courtesy(f.Chown(uid, gid)), f.Chmod(mode), f.Close())
	}
	return fmt.Errorf("%q is neither a file, a folder nor a link", h.Name)
}
