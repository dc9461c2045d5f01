package testbed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"lab/bench/input"

	"golang.org/x/sys/unix"
)

// runDir holds a folder for each testbed that lives. Locks are taken on the
// folders themselves (flock(2) takes any descriptor), so that there is no lock
// file to leave behind. A variable for the tests alone.
var runDir = "/run/lab"

// A Lock is the machine's: one exclusive holder (lab run measures), or any
// number of shared ones (lab exec doesn't).
type Lock struct{ f *os.File }

// Acquire takes the machine's lock without waiting. The error is a *BusyError
// where somebody else has it.
func Acquire(exclusive bool) (*Lock, error) {
	how := unix.LOCK_SH
	if exclusive {
		how = unix.LOCK_EX
	}
	f, err := lockFolder(runDir, how)
	// Somebody may be tidying up, which takes no time.
	for end := time.Now().Add(50 * time.Millisecond); errors.Is(err, unix.EWOULDBLOCK) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
		f, err = lockFolder(runDir, how)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, holders(runDir)
	}
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	return &Lock{f}, nil
}

// File is the descriptor that the lock lives in: a child that inherits it
// holds the lock, too.
func (l *Lock) File() *os.File { return l.f }

// Release gives the lock back.
func (l *Lock) Release() error {
	// The folder goes with the last holder, when no testbed is left in it:
	// only who has it for himself may remove it, or others would hold a lock
	// on a folder that nobody sees any more. Whoever opened it meanwhile finds
	// that out in lockFolder.
	if unix.Flock(int(l.f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil && same(l.f, runDir) {
		unix.Rmdir(runDir)
	}
	return l.f.Close()
}

// tidy removes the folder of all testbeds, where it is empty and nobody holds
// the machine's lock.
func tidy() {
	f, err := input.OpenFolder(runDir)
	if err != nil {
		return
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil && same(f, runDir) {
		unix.Rmdir(runDir)
	}
}

// lockFolder makes a folder where there is none, and locks it without waiting.
func lockFolder(dir string, how int) (*os.File, error) {
	for {
		if err := unix.Mkdir(dir, 0o755); err != nil && err != unix.EEXIST {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return nil, err
			}
		}
		f, err := input.OpenFolder(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for err = unix.EINTR; err == unix.EINTR; {
			err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		}
		if err != nil {
			f.Close()
			return nil, &os.PathError{Op: "flock", Path: dir, Err: err}
		}
		// It may have been removed between open and flock: then the lock
		// is on a folder that nobody else will ever see.
		if same(f, dir) {
			return f, nil
		}
		f.Close()
	}
}

func same(f *os.File, name string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(name)
	return err == nil && os.SameFile(a, b)
}

// newFolder makes a testbed's run folder and locks it. Its name is the ID. The
// watcher is there before it.
func newFolder(u Undertaker) (*os.File, Watcher, error) {
	for {
		dir := filepath.Join(runDir, newID())
		w, err := u.watch(dir)
		if err != nil {
			return nil, nil, fmt.Errorf("watch over the testbed's folder: %w", err)
		}
		f, err := lockFolder(dir, unix.LOCK_EX)
		if err == nil {
			return f, w, nil
		}
		closeWatcher(w)
		if !errors.Is(err, unix.EWOULDBLOCK) { // another testbed's, by a great chance
			unix.Rmdir(dir) // if it was made
			tidy()
			return nil, nil, fmt.Errorf("make the testbed's folder: %w", err)
		}
	}
}

// removeFolder removes a run folder whose lock we hold.
func removeFolder(f *os.File) error {
	// Never across a mount: a folder on which something is mounted isn't
	// empty of things that are somebody else's.
	if err := unix.Unmount(f.Name(), unix.MNT_DETACH); err != nil && err != unix.EINVAL {
		return os.NewSyscallError("unmount", err)
	}
	if err := os.RemoveAll(f.Name()); err != nil {
		return err
	}
	tidy()
	return nil
}
