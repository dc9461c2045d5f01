// Package image is one read-only file tree, known by its digest, and the forms
// in which environments take it: a folder (host, chroot), the lower layer of
// an overlay (container), an initramfs or an ext4 disk (vm).
package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"lab/bench/cgroup"
	"lab/bench/input"
)

// Bounds of what is read: an image is somebody else's.
const (
	MaxUnpacked = 64 << 30 // bytes of all its files
	maxFile     = 4 << 30  // of a program
)

// A Ref names a file tree on this machine by its content.
type Ref struct {
	Name   string // "default", or the last part of the folder's path
	Dir    string // absolute path of the tree's root
	Digest string // "sha256:" and 64 hex digits, see Sum; "" where At made the Ref
	Size   int64  // bytes of all regular files

	// Layers are absolute paths of folders of which an overlay shows the same
	// tree, the lowest first; nil where Dir is all there is.
	Layers []string
}

// At names the tree at dir without reading it: where no result will need its
// digest, such as for lab exec.
func At(dir string) (Ref, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Ref{}, fmt.Errorf("image: %w", err)
	}
	// A link to a folder is that folder, to whoever walks through it as well.
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return Ref{}, fmt.Errorf("image: %w", err)
	}
	st, err := os.Stat(real)
	if err != nil {
		return Ref{}, fmt.Errorf("image: %w", err)
	}
	if !st.IsDir() {
		return Ref{}, fmt.Errorf("image: %s isn't a folder; --image takes the root folder of a file tree", dir)
	}
	mount, err := mountBelow(real)
	if err != nil {
		return Ref{}, fmt.Errorf("image: %w", err)
	}
	if mount != "" {
		return Ref{}, fmt.Errorf("image: another file system is mounted at %s, which some environments would show and others not; "+
			"make a view without it: mkdir -p /mnt/tree && mount --bind %s /mnt/tree, then --image /mnt/tree", mount, dir)
	}
	return Ref{Name: filepath.Base(dir), Dir: real}, nil
}

// mountBelow is the first mount point that lies in a folder, or "".
func mountBelow(dir string) (string, error) {
	text, err := input.Kernel("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	below := strings.TrimSuffix(dir, "/") + "/"
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line) // proc_pid_mountinfo(5)
		if len(f) < 5 {
			continue
		}
		if point := cgroup.Unescape(f[4]); len(point) > len(below) && strings.HasPrefix(point, below) {
			return point, nil
		}
	}
	return "", nil
}

// Open names the tree at dir, and reads all of it for its digest.
func Open(dir string) (Ref, error) {
	r, err := At(dir)
	if err != nil {
		return r, err
	}
	r.Digest, r.Size, err = Sum(r.Dir)
	return r, err
}

// Sum is the digest of a tree: SHA-256 over one record for each entry, in the
// order of their names, of path, type and permissions, and a link's target, a
// device's number or a regular file's own SHA-256. Owners and times are left out: the same image
// unpacked by another user, on another day, is the same.
func Sum(dir string) (digest string, size int64, err error) {
	h := sha256.New()
	err = input.Walk(dir, func(name, rel string, info fs.FileInfo) (err error) {
		var content string
		switch {
		case info.Mode().IsRegular():
			if size += info.Size(); size > MaxUnpacked {
				return fmt.Errorf("%s: with it the image has more than %d GiB, the most that is read", name, MaxUnpacked>>30)
			}
			content, err = sumFile(input.Open(name))
		case info.Mode()&fs.ModeSymlink != 0:
			content, err = os.Readlink(name)
		case info.Mode()&fs.ModeDevice != 0:
			content, err = device(name, info)
		}
		// Lengths before texts: no two trees give the same records.
		fmt.Fprintf(h, "%d %s %v %d %s\n", len(rel), rel, info.Mode(), len(content), content)
		return err
	})
	if err != nil {
		return "", 0, fmt.Errorf("image: digest of %s: %w", dir, err)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), size, nil
}

// device is a device's number. A whiteout is refused.
func device(name string, info fs.FileInfo) (string, error) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", nil
	}
	if st.Rdev == 0 && info.Mode()&fs.ModeCharDevice != 0 {
		return "", fmt.Errorf("%s is a whiteout: an overlay hides it, and a chroot shows it; unpack the image's layers onto one another, or remove it", name)
	}
	return fmt.Sprint(st.Rdev), nil
}

// NoWhiteouts is an error about a whiteout in the tree at dir, for whoever opens it
// without its digest.
func NoWhiteouts(dir string) error {
	err := input.Walk(dir, func(name, _ string, info fs.FileInfo) (err error) {
		if info.Mode()&fs.ModeCharDevice != 0 {
			_, err = device(name, info)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	return nil
}

// SumFile is the digest of the bytes of one file below dir, and their number. No
// link leads it out of dir.
func SumFile(dir, name string) (digest string, size int64, err error) {
	root, err := input.OpenRoot(dir)
	if err != nil {
		return "", 0, fmt.Errorf("image: %w", err)
	}
	defer root.Close()
	st, err := root.Stat(name)
	if err == nil {
		err = input.Fits(filepath.Join(dir, name), st.Size(), maxFile)
	}
	if err != nil {
		return "", 0, fmt.Errorf("image: %w", err)
	}
	s, err := sumFile(input.OpenIn(root, name))
	if err != nil {
		return "", 0, fmt.Errorf("image: %w", err)
	}
	return "sha256:" + s, st.Size(), nil
}

func sumFile(f *os.File, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, MaxUnpacked)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
