package chroot

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/input"
	"lab/bench/launch"
)

// An instance whose files lie in the work folder. A host process writes into a
// folder of it. A chroot's root is the image, which nobody writes to: here it is
// a copy in the work folder, made once.
type working struct {
	*launch.Process
	place, root string
}

// Place is the folder to write into, as the program sees it.
func (w *working) Place() string { return w.place }

// Loads is the folder of its image.
func (w *working) Loads() []string { return []string{w.root} }

func (e *Env) prepareWork(s bench.Spec) (bench.Instance, error) {
	if e.name == "host" {
		place := filepath.Join(e.tb.Work, "host")
		if err := os.MkdirAll(place, 0o755); err != nil {
			return nil, fmt.Errorf("host: %w", err)
		}
		return &working{launch.New(e.hosted(s)), place, s.Image.Dir}, nil
	}
	root, err := e.copied(s.Image.Dir)
	if err != nil {
		return nil, fmt.Errorf("chroot: copy the image: %w", err)
	}
	fd, err := e.once(root, func() (int, error) { return unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, fmt.Errorf("chroot: %w", err)
	}
	return &working{launch.New(e.rooted(s, fd)), "/tmp", root}, nil
}

// Keeps is the size of the image's copy, in whole blocks.
func (e *Env) Keeps(s bench.Spec) int64 {
	if e.name == "host" || !s.Work {
		return 0
	}
	return s.Image.Size + s.Image.Size/8
}

// copied is the image's copy.
func (e *Env) copied(dir string) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if to := e.copies[dir]; to != "" {
		return to, nil
	}
	to, err := os.MkdirTemp(e.tb.Work, "chroot-")
	if err == nil {
		err = os.Chmod(to, 0o755)
	}
	if err == nil {
		err = os.CopyFS(to, os.DirFS(dir))
	}
	if err == nil {
		err = copyOwners(to, dir)
	}
	// An image without a place to write has none.
	if err == nil {
		err = os.MkdirAll(filepath.Join(to, "tmp"), 0o755)
	}
	if err != nil {
		return "", err
	}
	if e.copies == nil {
		e.copies = map[string]string{}
	}
	e.copies[dir] = to
	return to, nil
}

// copyOwners gives a copy the owners and modes of the tree from: CopyFS gives folders
// 0777 and files 0666 at least, less the umask, and all to us.
func copyOwners(to, from string) error {
	return input.Walk(from, func(_, rel string, info fs.FileInfo) error {
		name, st := filepath.Join(to, rel), info.Sys().(*syscall.Stat_t)
		err := os.Lchown(name, int(st.Uid), int(st.Gid))
		if err == nil && info.Mode()&fs.ModeSymlink == 0 {
			err = os.Chmod(name, info.Mode()) // last: a new owner takes the set-user-ID bit
		}
		return err
	})
}
