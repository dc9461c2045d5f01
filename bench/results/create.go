package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench/owner"
)

// Create makes a new results folder with its first files, which fill writes, and opens
// it; parents that it lacks are made. It refuses a path that exists, whatever it is: no
// result is overwritten. The folder, and the parents that it had to make, belong to uid
// and gid. It has another name until it is whole: see [sweepUnborn].
func Create(dir string, uid, gid int, fill func(*Writer) error) (_ *os.File, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("create results folder: %w", err)
		}
	}()
	var made []string
	for d := filepath.Dir(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || d == filepath.Dir(d) {
			break
		}
		made = append(made, d)
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	for _, d := range made {
		if err := owner.Courtesy(os.Lchown(d, uid, gid)); err != nil {
			return nil, err
		}
	}
	sweepUnborn(parent)
	exists := fmt.Errorf("%s exists, and results are never overwritten: name another with --out", dir)
	if _, err := os.Lstat(dir); err == nil {
		return nil, exists
	}
	tmp, err := os.MkdirTemp(parent, "."+filepath.Base(dir)+unborn+"*")
	if err != nil {
		return nil, err
	}
	f, err := os.Open(tmp)
	if err == nil {
		err = beBorn(f, uid, gid, fill)
	}
	if err == nil {
		err = unix.Renameat2(unix.AT_FDCWD, tmp, unix.AT_FDCWD, dir, unix.RENAME_NOREPLACE)
		switch {
		case errors.Is(err, fs.ErrExist):
			err = exists
		case err == unix.EINVAL: // a file system that can't say so; it wasn't there a moment ago
			err = os.Rename(tmp, dir)
		}
	}
	if err != nil {
		f.Close() // nil where it wasn't opened
		return nil, errors.Join(err, os.RemoveAll(tmp))
	}
	unix.Flock(int(f.Fd()), unix.LOCK_UN)
	syncFolder(parent)
	return f, nil
}

// beBorn fills a results folder that nobody sees yet.
func beBorn(f *os.File, uid, gid int, fill func(*Writer) error) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return os.NewSyscallError("flock", err)
	}
	if err := errors.Join(owner.Courtesy(f.Chmod(0o755)), owner.Courtesy(f.Chown(uid, gid))); err != nil || fill == nil {
		return err
	}
	w, err := NewWriter(f, uid, gid)
	if err != nil {
		return err
	}
	return errors.Join(fill(w), w.Close())
}

// syncFolder puts a folder's list of names on the disk. Not every file system can.
func syncFolder(dir string) {
	if f, err := os.Open(dir); err == nil {
		f.Sync()
		f.Close()
	}
}

// unborn is part of the name of a folder that isn't whole yet: .NAME.new-1234.
const unborn = ".new-"

// sweepUnborn removes results folders that were never whole: their lab was killed in
// their first milliseconds. They have such a name, nobody holds their lock, and there
// is nothing in them but what a run begins with, no trial among it.
func sweepUnborn(parent string) {
	root, err := os.OpenRoot(parent)
	if err != nil {
		return
	}
	defer root.Close()
	all, err := root.Open(".")
	if err != nil {
		return
	}
	defer all.Close()
	names, _ := all.Readdirnames(-1) // without a look at each: a fleet's folder has thousands
	for _, name := range names {
		hidden, is := strings.CutPrefix(name, ".")
		_, n, named := strings.Cut(hidden, unborn)
		if !is || !named {
			continue
		}
		f, err := root.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		entries, err := f.ReadDir(-1)
		ours := err == nil && n != "" && strings.Trim(n, "0123456789") == "" && unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
		for _, e := range entries {
			info, err := e.Info()
			base := strings.TrimSuffix(strings.TrimPrefix(e.Name(), "."), ".new")
			ours = ours && err == nil && info.Mode().IsRegular() &&
				(base == ManifestFile || base == MachineFile || base == ExperimentFile || base == GuessFile || e.Name() == TrialsFile && info.Size() == 0)
		}
		if ours {
			root.RemoveAll(name)
		}
		f.Close()
	}
}
