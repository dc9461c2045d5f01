// Package usercache is the user's cache folder: where it is, and whose.
//
// The lab runs as root for somebody else, mostly through sudo. What it keeps
// between runs (guest kernel, images, what was found out about the machine) is
// below one folder of that user's, and belongs to that user.
package usercache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"lab/bench/owner"
)

// Beside is the cache folder of a bundle: it lies in the program's own folder.
const Beside = "lab-cache"

// Dir is the user's cache folder, the same one for a user and for root
// through sudo. It isn't made. A program of a bundle has its own.
func Dir() (string, error) {
	if d := os.Getenv("LAB_CACHE"); d != "" {
		return filepath.Abs(d)
	}
	if d := bundled(); d != "" {
		return d, nil
	}
	if d := os.Getenv("XDG_CACHE_HOME"); filepath.IsAbs(d) { // relative ones are to be ignored, says its specification
		return filepath.Join(d, "lab"), nil
	}
	home, err := owner.Home()
	if err != nil {
		return "", fmt.Errorf("cache folder: %w; name one with LAB_CACHE", err)
	}
	if home == "" {
		return "", errors.New("cache folder: no HOME is set; name a folder with LAB_CACHE")
	}
	return filepath.Join(home, ".cache", "lab"), nil
}

// bundled is the cache folder of a bundle that this program is from; else "".
func bundled() string {
	self, err := os.Readlink("/proc/self/exe")
	d := filepath.Join(filepath.Dir(self), Beside)
	if err == nil {
		_, err = os.Lstat(filepath.Join(d, TagFile))
	}
	if err != nil {
		return ""
	}
	return d
}

// SetUp is what to type where what the set-up installs is missing. A bundle has no
// set-up: there it is Debian's packages, named.
func SetUp(packages string) string {
	if bundled() == "" {
		return "make setup"
	}
	return "apt-get install " + packages
}

// GuestPackages are what virtual machines need.
const GuestPackages = "qemu-system-x86 libvirt-daemon libvirt-daemon-driver-qemu"

// Tag, in a cache folder's TagFile, tells backup programs that it is a cache, and
// setup.sh, which writes the same, that its --uninstall may remove it.
const Tag = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by lab, see setup.sh.\n"

// TagFile is the file's name.
const TagFile = "CACHEDIR.TAG"

// Make makes the cache folder; what had to be made belongs to the owner.
func Make() (string, error) {
	dir, err := Dir()
	if err != nil {
		return "", err
	}
	uid, gid := owner.IDs()
	var made []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || d == filepath.Dir(d) {
			break
		}
		made = append(made, d)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cache folder: %w; name another with LAB_CACHE", err)
	}
	if len(made) > 0 {
		tag := filepath.Join(dir, TagFile)
		if err := os.WriteFile(tag, []byte(Tag), 0o644); err != nil {
			return "", fmt.Errorf("cache folder: %w", err)
		}
		made = append(made, tag)
	}
	for _, d := range made {
		if err := owner.Courtesy(os.Lchown(d, uid, gid)); err != nil {
			return "", fmt.Errorf("cache folder: %w", err)
		}
	}
	return dir, nil
}

// Give gives what root made in the user's cache to the user.
func Give(dir string) error {
	uid, gid := owner.IDs()
	if os.Geteuid() != 0 || uid == 0 {
		return nil
	}
	// Through a root, since the folder is the user's: a link there must not
	// lead root elsewhere.
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	top, err := root.Stat(".")
	if err != nil {
		return err
	}
	device := top.Sys().(*syscall.Stat_t).Dev
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // another's, which has ended
			return nil
		}
		if err != nil {
			return err
		}
		skip := func() error {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil // SkipDir of a file is the rest of its folder
		}
		if others(name) {
			return skip()
		}
		info, err := root.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		if st.Dev != device { // mounted there: a set-up's /proc, or the machine's own /dev/shm
			return skip()
		}
		// A file of several names may have one of them somewhere else.
		if st.Uid != 0 || !info.IsDir() && st.Nlink > 1 {
			return nil
		}
		return owner.Courtesy(root.Lchown(name, uid, gid))
	})
}

// others says whether what is below the cache isn't to be given to the user: an image's
// files belong to its own users, and so do an instance's, and those of a distribution that
// a set-up is making.
func others(name string) bool {
	return name == images || strings.HasPrefix(name, setUps) || strings.HasPrefix(name, works+"/")
}

// setUps begin the names of folders that a set-up (setup.sh) works in.
const setUps = ".setup-"

// images is where the image store lies below the cache.
const images = "image/store"

// Images is where in the cache the image store lies (bench/image/store). Its files
// stay whoever's they are.
func Images(cache string) string { return filepath.Join(cache, images) }

// Work is where in the cache work folders are made where --work names no other
// place.
func Work(cache string) string { return filepath.Join(cache, works) }

const works = "work"

// Keep returns path after build made a file of it, unless it is there already. The
// file appears whole or not at all, after a power failure, too: nobody looks at what
// is in it again. build is given the name of a file that isn't there, in a folder
// that nobody else uses; an error of build's is Keep's.
func Keep(path string, build func(file string) error) (string, error) {
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(dir, "new-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	file := filepath.Join(tmp, "file")
	if err := build(file); err != nil {
		return "", err
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	if err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return "", err
	}
	return path, os.Rename(file, path)
}
