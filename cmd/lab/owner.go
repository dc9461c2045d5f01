package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// owner is whom the files that we make belong to: under sudo the user who
// called it.
func owner() (uid, gid int) {
	uid, gid = os.Getuid(), os.Getgid()
	if uid != 0 {
		return uid, gid
	}
	if u, err := strconv.Atoi(os.Getenv("SUDO_UID")); err == nil {
		uid = u
	}
	if g, err := strconv.Atoi(os.Getenv("SUDO_GID")); err == nil {
		gid = g
	}
	return uid, gid
}

// ownerOf is whom an open file or folder belongs to.
func ownerOf(f *os.File) (uid, gid int, err error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		return 0, 0, fmt.Errorf("owner of %s: %w", f.Name(), err)
	}
	return int(st.Uid), int(st.Gid), nil
}

// cacheDir is the user's cache folder, the same one for a user and for root
// through sudo. It isn't made.
func cacheDir() (string, error) {
	if d := os.Getenv("LAB_CACHE"); d != "" {
		return filepath.Abs(d)
	}
	if d := os.Getenv("XDG_CACHE_HOME"); filepath.IsAbs(d) { // relative ones are to be ignored, says its specification
		return filepath.Join(d, "lab"), nil
	}
	home := os.Getenv("HOME")
	if name := os.Getenv("SUDO_USER"); name != "" && os.Getuid() == 0 {
		u, err := user.Lookup(name)
		if err != nil {
			return "", fmt.Errorf("cache folder: %w; name one with LAB_CACHE", err)
		}
		home = u.HomeDir
	}
	if home == "" {
		return "", errors.New("cache folder: no HOME is set; name a folder with LAB_CACHE")
	}
	return filepath.Join(home, ".cache", "lab"), nil
}

// makeCache makes the cache folder; what had to be made belongs to the owner.
func makeCache() (string, error) {
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	uid, gid := owner()
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
	for _, d := range made {
		if err := os.Lchown(d, uid, gid); err != nil {
			return "", fmt.Errorf("cache folder: %w", err)
		}
	}
	return dir, nil
}

// giveCache gives what root made in the user's cache to the user.
func giveCache(dir string) error {
	uid, gid := owner()
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
	return fs.WalkDir(root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := root.Lstat(name)
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		// A file of several names may have one of them somewhere else.
		if st.Uid != 0 || !info.IsDir() && st.Nlink > 1 {
			return nil
		}
		return root.Lchown(name, uid, gid)
	})
}

// needRoot is nil for root, else an error that ends in the exact command to
// type. what needs it: "lab run".
func (a *app) needRoot(what string, status int) error {
	if os.Geteuid() == 0 {
		return nil
	}
	return &statusError{status, fmt.Errorf("%s needs root (namespaces, mounts and cgroups are made); nothing was touched; type:\n     %s",
		what, a.typed(a.args[1:]))}
}

// typed is what a user types to have the lab do what the words say, as root.
func (a *app) typed(args []string) string {
	var words []string
	if os.Geteuid() != 0 || os.Getenv("SUDO_UID") != "" {
		words = append(words, "sudo")
	}
	// sudo has a PATH of its own, and hands no variable on unless it is told.
	for _, name := range []string{"LAB_CACHE", "LAB_KERNEL", "XDG_CACHE_HOME"} {
		if v := os.Getenv(name); v != "" {
			words = append(words, name+"="+v)
		}
	}
	prog := a.args[0]
	if !strings.Contains(prog, "/") {
		if exe, err := os.Executable(); err == nil {
			prog = exe
		}
	}
	words = append(append(words, prog), args...)
	for i, w := range words {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

// quote makes a word safe for a shell where it has to be.
func quote(w string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_=+,./:@%", r)
	}
	if w != "" && strings.IndexFunc(w, func(r rune) bool { return !plain(r) }) < 0 {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// workIn is where in the cache work folders are made where --work names no other
// place.
func workIn(cache string) string { return filepath.Join(cache, "work") }
