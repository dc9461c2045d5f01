package main

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/probe/line"
)

// surface does a fixed amount of work of several kinds, each as a section that has
// how many units it did as its value: what is counted meanwhile is counted by the
// host. "nothing" is what the conversation about a section takes by itself.
func surface(t *talk, o options) error {
	dir := o["dir"]
	if dir == "" {
		dir = "/tmp"
	}
	name := filepath.Join(dir, "surface-"+t.token)
	if err := os.WriteFile(name, make([]byte, surfaceBlock), 0o600); err != nil {
		return err
	}
	defer os.Remove(name)
	program, err := execs()
	if err != nil {
		return err
	}
	for _, x := range []struct {
		name  string
		units int
		work  func(n int) error
	}{
		{"nothing", 1, func(int) error { return nil }},
		{"getpid", 1000, func(n int) error {
			for range n {
				unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
			}
			return nil
		}},
		{"file", 100, func(n int) error { return readFiles(name, n) }},
		{"write", 1, func(n int) error { return writeFile(name, n) }},
		{"fault", 16, func(n int) error {
			mem, err := smallPages(n << 20)
			if err != nil {
				return os.NewSyscallError("mmap", err)
			}
			newMark(t.token).touch(mem)
			return unix.Munmap(mem)
		}},
		{"exec", 20, program.work},
		{"idle", 1, func(int) error {
			time.Sleep(surfaceIdle) // Go's own threads sleep, too
			return nil
		}},
	} {
		err := t.section(x.name, func() ([]line.Pair, error) {
			return []line.Pair{line.Count("value", int64(x.units))}, x.work(x.units)
		})
		if err != nil {
			return errors.New(x.name + ": " + err.Error())
		}
	}
	return nil
}

// What surface reads and writes at a time, and for how long it does nothing.
const (
	surfaceBlock = 4096
	surfaceIdle  = time.Second
)

// readFiles opens, reads and closes a file, n times.
func readFiles(name string, n int) error {
	var block [surfaceBlock]byte
	for range n {
		fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("open", err)
		}
		if _, err := unix.Read(fd, block[:]); err != nil {
			return os.NewSyscallError("read", err)
		}
		unix.Close(fd)
	}
	return nil
}

// writeFile writes n MiB, a block at a time, and an fsync.
func writeFile(name string, n int) error {
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	defer unix.Close(fd)
	var block [surfaceBlock]byte
	for at := 0; at < n<<20; at += surfaceBlock {
		if _, err := unix.Pwrite(fd, block[:], int64(at)); err != nil {
			return os.NewSyscallError("pwrite", err)
		}
	}
	return os.NewSyscallError("fsync", unix.Fsync(fd))
}
