package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"lab/bench/input"

	"golang.org/x/sys/unix"
)

// RemoveAll removes a cgroup folder and those below it, deepest first. A
// folder with processes is emptied with SIGKILL; the kernel lets it go only
// some time after the last one was reaped, so it is tried for two seconds.
func RemoveAll(dir string) error {
	if unix.Rmdir(dir) == nil { // mostly: nobody looks for folders where there are none
		return nil
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cgroup: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return rmdir(dir)
}

// rmdir removes one cgroup folder, killing what is in it. No event says when a
// v1 folder can be removed, so the pauses grow from 20 µs on.
func rmdir(dir string) error {
	deadline := time.Now().Add(2 * time.Second)
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		err := unix.Rmdir(dir)
		switch {
		case err == nil || err == unix.ENOENT:
			return nil
		case err == unix.EINTR:
			continue
		case err != unix.EBUSY || time.Now().After(deadline):
			return fmt.Errorf("cgroup: remove %s: %w", dir, err)
		}
		killAll(dir)
		time.Sleep(pause)
	}
}

// killAll kills the processes that a cgroup folder lists.
func killAll(dir string) {
	if write(dir, "cgroup.kill", "1") == nil { // v2, Linux 5.14 and later
		return
	}
	b, _ := input.Kernel(filepath.Join(dir, "cgroup.procs"))
	for _, f := range strings.Fields(string(b)) {
		var pid int
		// 0 is a process of another PID namespace, which we can't name.
		if _, err := fmt.Sscan(f, &pid); err == nil && pid > 1 && pid != os.Getpid() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
