package main

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"lab/bench/probe/line"
)

// passes goes over memory again and again, and times each pass: first over the
// program files of the image (a section "kept"), which in a saved guest were in its
// memory when it was saved, then over size= bytes of its own (a section "fresh"), each
// page written to. Both have the seconds of each pass, in order, as values named pass.
func passes(t *talk, o options) error {
	size, err := o.number("size", 32<<20)
	if err != nil {
		return err
	}
	n, err := o.number("n", 8)
	if err != nil {
		return err
	}
	err = t.section("kept", func() ([]line.Pair, error) {
		return timed(n, func() error {
			for _, name := range []string{"busybox", "probe"} {
				if err := lookInto(filepath.Join(filepath.Dir(self()), name)); err != nil && !os.IsNotExist(err) {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	mem, err := smallPages(int(size))
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	defer unix.Munmap(mem)
	k := newMark(t.token)
	return t.section("fresh", func() ([]line.Pair, error) {
		return timed(n, func() error {
			k.touch(mem)
			return nil
		})
	})
}

// timed does something n times, and tells how many seconds each took.
func timed(n int64, do func() error) (out []line.Pair, err error) {
	for at := now(); int64(len(out)) < n && err == nil; {
		err = do()
		end := now()
		out = append(out, line.Pair{Key: "pass", Value: strconv.FormatFloat(float64(end-at)/1e9, 'g', -1, 64)})
		at = end
	}
	return out, err
}

// lookInto maps a file, reads from each of its pages, and lets it go.
func lookInto(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	readPages(mem)
	return unix.Munmap(mem)
}
