package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/probe/line"
)

// Sizes of what is read and written at once.
const (
	large = 1 << 20 // sequential
	small = 4 << 10 // random, and a page
)

// depth is how many requests are under way at once where there is more than
// one.
//
// They come from as many threads, each with a pread or pwrite of its own, as
// fio's ioengine=psync with thread and numjobs=16. io_uring would need one
// thread, but the engines' seccomp filters forbid it, and so do many
// administrators: a container would then be measured by another means than the
// host.
const depth = 16

// disk reads and writes a file of its own, in each way that a section is for.
//
//	dir=DIR      where the file is made
//	size=BYTES   how large; a multiple of 1 MiB
//	hot=BYTES    the part of it that is read again from the page cache, and
//	             that random buffered writes go to
//	ms=150       how long a section takes, at least
//	only=A,B     sections, in place of all
//	first=PATH   a file that is there: its first change is timed
//	copy=BYTES   or one of so many bytes that the probe made itself
//	cold=once    one pass for what begins with an empty page cache: below it
//	             is another one, which only the host can empty
//	direct=once  and for reads past it: a second would find in that other one
//	             what the first has left there
func disk(t *talk, o options) error {
	ms, err := o.number("ms", 150)
	if err != nil {
		return err
	}
	d := &disks{dir: o["dir"], budget: time.Duration(ms) * time.Millisecond}
	if d.dir == "" {
		d.dir = "/tmp"
	}
	if d.size, err = o.number("size", 64<<20); err != nil {
		return err
	}
	if d.hot, err = o.number("hot", min(16<<20, d.size)); err != nil {
		return err
	}
	if d.size < large || d.size%large != 0 || d.hot < large || d.hot > d.size {
		return errors.New("size and hot are at least 1 MiB, size is a multiple of it, and hot no more than size")
	}
	d.mark = "-" + t.token
	d.once, d.directOnce = o["cold"] == "once", o["direct"] == "once"
	defer d.close()
	if err := d.open(); err != nil {
		return err
	}
	if err := d.facts(t); err != nil {
		return err
	}
	some := jobs
	if o["only"] != "" {
		only := strings.Split(o["only"], ",")
		some = slices.DeleteFunc(slices.Concat(jobs, queued), func(j job) bool { return !slices.Contains(only, j.name) })
	}
	most := depth
	for _, j := range some {
		most = max(most, j.depth)
	}
	// More than there are threads that block in raw system calls.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(most + 4))
	for _, j := range some {
		if why := d.lacks(j); why != "" {
			if err := t.fact(j.name, line.Pair{Key: "skip", Value: why}); err != nil {
				return err
			}
			continue
		}
		if err := d.run(t, j); err != nil {
			return &kernelError{j.name, err}
		}
	}
	if err := d.verify(); err != nil {
		return err
	}
	made, err := o.number("copy", 0)
	if err != nil {
		return err
	}
	return d.first(t, o["first"], made)
}

// disks is the file that is worked on, open twice.
type disks struct {
	dir       string
	mark      string // ends the names of its files: a second probe may be at work in the folder
	size, hot int64
	budget    time.Duration
	once      bool // one cold pass

	directOnce bool // one pass of reads past the page cache

	rewritten uint64 // when the last pass began that wrote all of the file; see tick

	cached, direct int  // descriptors: through the page cache, and past it; that one is -1 where there is no way past
	kept           bool // it can't be driven out of the page cache
	buf            []byte
}

// open makes the file, of blocks that were all written and have reached the
// disk: what is overwritten or read later is laid out already, as fio does it.
// It has no name any more when it is filled: the kernel frees it with its last
// descriptor, whatever ends the probe.
func (d *disks) open() (err error) {
	d.cached, d.direct = -1, -1
	if d.buf, err = pages(large); err != nil {
		return os.NewSyscallError("mmap", err)
	}
	noise(d.buf)
	name := filepath.Join(d.dir, "probe-disk"+d.mark)
	if d.cached, err = unix.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600); err != nil {
		return &os.PathError{Op: "make", Path: name, Err: err}
	}
	d.direct, err = unix.Open(name, unix.O_RDWR|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if rerr := os.Remove(name); rerr != nil {
		return rerr
	}
	if err == unix.EINVAL {
		d.direct, err = -1, nil
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	for at := int64(0); at < d.size; at += large {
		stamp(d.buf, at)
		if err := transferAll(true, d.cached, d.buf, at); err != nil {
			return &os.PathError{Op: "fill", Path: name, Err: err}
		}
	}
	if err := unix.Fsync(d.cached); err != nil {
		return &os.PathError{Op: "fsync", Path: name, Err: err}
	}
	return nil
}

func (d *disks) close() {
	for _, fd := range []int{d.cached, d.direct} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	if d.buf != nil {
		unix.Munmap(d.buf)
	}
}

// facts tells how fine the clock is that times each request, on what the file
// lies, and whether it can be driven out of the page cache: a file system may
// not obey, and then nothing below is cold.
func (d *disks) facts(t *talk) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(d.cached, &st); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	before, err := d.resident(d.size)
	if err != nil {
		return err
	}
	if err := d.drop(); err != nil {
		return err
	}
	after, err := d.resident(d.size)
	if err != nil {
		return err
	}
	d.kept = after > 0
	if err := d.checkDirect(); err != nil {
		return err
	}
	return t.fact("file", line.Count("grain", grain()), line.Count("size", d.size), line.Count("hot", d.hot), line.Count("fs", int64(st.Type)),
		line.Count("cached", before), line.Count("kept", after))
}

// checkDirect gives up a way past the page cache that is none: some file systems
// take the flag, and then read through it all the same (tmpfs since Linux 6.6,
// ext4 that journals data). The file was driven out before.
func (d *disks) checkDirect() error {
	if d.direct < 0 {
		return nil
	}
	if err := transferAll(false, d.direct, d.buf, 0); err != nil {
		return err
	}
	in, err := d.resident(large)
	if err == nil && in > 0 {
		err = os.NewSyscallError("close", unix.Close(d.direct))
		d.direct = -1
	}
	return err
}

// lacks says why a job can't be done on this file system, or "". A tmpfs is such
// a one: its files are nowhere but in the page cache.
func (d *disks) lacks(j job) string {
	switch {
	case j.direct && d.direct < 0:
		return "this file system has no way past the page cache (O_DIRECT)"
	case j.cold && d.kept:
		return "this file system keeps its files in the page cache, so no read is cold"
	}
	return ""
}

// drop drives the file, and nothing else, out of the page cache. What is still
// to be written can't go: so it is written first.
func (d *disks) drop() error {
	if err := unix.Fdatasync(d.cached); err != nil {
		return os.NewSyscallError("fdatasync", err)
	}
	return os.NewSyscallError("fadvise", unix.Fadvise(d.cached, 0, 0, unix.FADV_DONTNEED))
}

// resident is how many of the file's first bytes are in the page cache.
func (d *disks) resident(of int64) (int64, error) {
	m, err := unix.Mmap(d.cached, 0, int(of), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return 0, os.NewSyscallError("mmap", err)
	}
	defer unix.Munmap(m)
	page := os.Getpagesize()
	in := make([]byte, (len(m)+page-1)/page)
	if err := mincore(m, in); err != nil {
		return 0, os.NewSyscallError("mincore", err)
	}
	n := int64(0)
	for _, b := range in {
		n += int64(b & 1)
	}
	return n * int64(page), nil
}

// first times the first change of a file: opened, one byte of it written. Where
// the file is an image's, below an overlay, all of it is copied before. It is a
// fact and no section: over too soon to be seen by the host's clock.
func (d *disks) first(t *talk, name string, size int64) error {
	if name == "" {
		if size == 0 {
			return nil
		}
		name = filepath.Join(d.dir, "probe-first"+d.mark)
		b := make([]byte, size)
		noise(b)
		defer os.Remove(name)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			return err
		}
	}
	b, err := os.ReadFile(name) // from here on it is in the page cache, whoever made it
	if err != nil {
		return err
	}
	change := func() (int64, error) {
		began := tick()
		fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return 0, &os.PathError{Op: "open", Path: name, Err: err}
		}
		defer unix.Close(fd)
		if _, err = unix.Pwrite(fd, b[:1], 0); err != nil {
			return 0, &os.PathError{Op: "write", Path: name, Err: err}
		}
		return tick() - began, nil
	}
	one, err := change()
	if err != nil {
		return err
	}
	two, err := change()
	if err != nil {
		return err
	}
	return t.fact("first-write", line.Number("seconds", float64(one)/1e9), line.Number("again", float64(two)/1e9),
		line.Count("bytes", int64(len(b))))
}
