package main

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench/histogram"
	"lab/bench/probe/line"
)

// A job is one way of reading or writing.
type job struct {
	name   string
	direct bool // past the page cache
	write  bool
	random bool  // small blocks, in an order in which each comes once; else large ones, from the start on
	depth  int   // requests under way at once
	hot    bool  // only in the hot part of the file
	cold   bool  // the page cache is emptied of the file before each pass
	fill   bool  // the page cache has the hot part
	flush  bool  // a pass ends with an fsync, which counts
	each   bool  // an fsync after each write; its time is what is observed
	whole  bool  // a pass is ended by nothing but its last block
	single bool  // one pass is all, and no block comes twice; worked out
	reads  int   // of a hundred requests so many are reads, and the others writes; 0: all are what write says
	blocks int64 // of a pass; worked out
}

// queued are the jobs that run only where only= names them: more requests under way at
// once than jobs has, and fewer, in the ways of fio's that comparisons of virtual machines
// use.
var queued = []job{
	{name: "direct-write16", direct: true, write: true, depth: 16},
	{name: "direct-read2", direct: true, depth: 2},
	{name: "direct-read16", direct: true, depth: 16},
	{name: "direct-randwrite32", direct: true, write: true, random: true, depth: 32},
	{name: "direct-randwrite128", direct: true, write: true, random: true, depth: 8 * 16},
	{name: "direct-randread32", direct: true, random: true, depth: 32},
	{name: "direct-randread128", direct: true, random: true, depth: 8 * 16},
	{name: "direct-mixed256", direct: true, random: true, reads: 70, depth: 8 * 32},
}

// jobs are the sections, in the order in which they are made: first what
// leaves nothing in the page cache.
var jobs = []job{
	{name: "direct-write", direct: true, write: true, depth: 1},
	{name: "direct-read", direct: true, depth: 1},
	{name: "direct-randwrite1", direct: true, write: true, random: true, depth: 1},
	{name: "direct-randwrite16", direct: true, write: true, random: true, depth: depth},
	{name: "direct-randread1", direct: true, random: true, depth: 1},
	{name: "direct-randread16", direct: true, random: true, depth: depth},
	{name: "fsync", write: true, random: true, depth: 1, each: true},
	{name: "buffered-write", write: true, depth: 1, flush: true, whole: true},
	{name: "buffered-randwrite1", write: true, random: true, depth: 1, hot: true, flush: true},
	{name: "buffered-randwrite16", write: true, random: true, depth: depth, hot: true, flush: true},
	{name: "buffered-read", depth: 1, cold: true, whole: true},
	{name: "buffered-randread1", random: true, depth: 1, cold: true},
	{name: "buffered-randread16", random: true, depth: depth, cold: true},
	{name: "cached-read", depth: 1, hot: true, fill: true},
	{name: "cached-randread1", random: true, depth: 1, hot: true, fill: true},
}

// block is how many bytes a request has.
func (j job) block() int64 {
	if j.random {
		return small
	}
	return large
}

// run makes passes until the section's time is up, and tells what came of it:
// bytes and requests a second, and how long each request took.
func (d *disks) run(t *talk, j job) error {
	span := d.size
	if j.hot {
		span = d.hot
	}
	j.blocks = span / j.block()
	if j.blocks < int64(j.depth) {
		return errors.New("the file has fewer blocks than requests are to be under way at once")
	}
	j.single = d.once && j.cold || d.directOnce && j.direct && !j.write
	order := j.order()
	workers := make([]*worker, j.depth)
	fd := d.cached
	if j.direct {
		fd = d.direct
	}
	for i := range workers {
		b, err := pages(int(j.block()))
		if err != nil {
			return os.NewSyscallError("mmap", err)
		}
		defer unix.Munmap(b)
		copy(b, d.buf)
		workers[i] = &worker{job: j, fd: fd, buf: b, order: order, first: i, dice: rand.New(rand.NewPCG(2, uint64(i)))}
		if j.random {
			workers[i].least = (tailSamples + int64(j.depth) - 1) / int64(j.depth)
		}
	}
	if j.fill {
		if err := d.warm(); err != nil {
			return err
		}
	}
	// As fio does: a program that knows how it reads tells the kernel, which
	// then doesn't read ahead in vain.
	advice := unix.FADV_SEQUENTIAL
	if j.random {
		advice = unix.FADV_RANDOM
	}
	if err := unix.Fadvise(d.cached, 0, 0, advice); err != nil {
		return os.NewSyscallError("fadvise", err)
	}
	var took, ops, reads int64
	err := t.section(j.name, func() ([]line.Pair, error) {
		end := tick() + int64(d.budget)
		for ops == 0 || tick() < end && !j.single {
			if j.cold {
				if err := d.drop(); err != nil {
					return nil, err
				}
			}
			began := tick()
			if j.write && j.whole {
				d.rewritten = uint64(began)
			}
			n, err := pass(workers, end)
			if err == nil && j.flush {
				err = os.NewSyscallError("fsync", unix.Fsync(fd))
			}
			if err != nil {
				return nil, err
			}
			took += tick() - began
			ops += n
		}
		// One pass may be over soon, and the host's clock sees a section of
		// some length alone.
		time.Sleep(time.Duration(end - tick()))
		for _, w := range workers {
			reads += w.read
		}
		return []line.Pair{line.Number("reads", float64(reads)*1e9/float64(took)), line.Number("rate", float64(ops*j.block())*1e9/float64(took)), line.Number("ops", float64(ops)*1e9/float64(took)),
			line.Count("requests", ops), line.Count("took", took)}, nil
	})
	if err != nil || !j.random {
		return err
	}
	all := &histogram.Histogram{}
	for _, w := range workers {
		for _, b := range w.seen.Buckets() {
			all.AddN(b.Index, b.Count)
		}
	}
	return t.samples(j.name, all)
}

// order is in which order blocks come: the same in every environment.
func (j job) order() []uint32 {
	out := make([]uint32, j.blocks)
	for i := range out {
		out[i] = uint32(i)
	}
	if j.random {
		rand.New(rand.NewPCG(1, uint64(j.blocks))).Shuffle(len(out), func(a, b int) { out[a], out[b] = out[b], out[a] })
	}
	return out
}

// warm makes the page cache hold the hot part.
func (d *disks) warm() error {
	for at := int64(0); at < d.hot; at += large {
		if err := transferAll(false, d.cached, d.buf, at); err != nil {
			return err
		}
	}
	have, err := d.resident(d.hot)
	if err == nil && have < d.hot {
		err = errors.New("the page cache doesn't hold what was just read: too little memory")
	}
	return err
}

// begin is when the program began: Go reads the clock for a time.Since of it
// without a system call, where the kernel allows it.
var begin = time.Now()

// tick is the time in nanoseconds.
func tick() int64 { return int64(time.Since(begin)) }

// grain is by how much the clock moves at once, in nanoseconds: the middle one of
// some moves. A guest whose better clocks failed falls back to one of
// milliseconds.
func grain() int64 {
	var moves []int64
	for end := tick() + int64(200*time.Millisecond); len(moves) < 25; {
		at := tick()
		next := at
		for next == at {
			next = tick()
		}
		if moves = append(moves, next-at); next > end && len(moves) > 2 {
			break
		}
	}
	slices.Sort(moves)
	return moves[len(moves)/2]
}

// transferAll reads or writes all of a buffer at a place of a file.
//
// Raw: each thread has a processor of Go's own (see disk), so none waits for
// another, and the runtime does nothing before and after.
func transferAll(write bool, fd int, b []byte, at int64) error {
	call, name := uintptr(unix.SYS_PREAD64), "read"
	if write {
		call, name = unix.SYS_PWRITE64, "write"
	}
	for len(b) > 0 {
		n, _, errno := unix.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(at), 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return os.NewSyscallError(name, errno)
		case n == 0:
			return errors.New(name + ": the file ends before its end")
		default:
			b, at = b[n:], at+int64(n)
		}
	}
	return nil
}

// noise fills a buffer with what no disk can shorten.
func noise(b []byte) {
	x := uint64(88172645463325252)
	for i := 0; i+8 <= len(b); i += 8 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		binary.NativeEndian.PutUint64(b[i:], x)
	}
}

// stamp writes into each small block where in the file it belongs, and a
// number that makes it another one than was there.
func stamp(b []byte, at int64) {
	for i, now := 0, uint64(tick()); i < len(b); i += small {
		binary.NativeEndian.PutUint64(b[i:], uint64(at)+uint64(i))
		binary.NativeEndian.PutUint64(b[i+8:], now)
	}
}

// verify reads blocks from all over the file, past the page cache where there is
// a way, and looks whether each is the one that was written there, and no older
// than the last time that all were.
func (d *disks) verify() error {
	b, fd := d.buf[:small], d.direct
	if fd < 0 {
		fd = d.cached
	}
	for i := range int64(256) {
		at := i * (d.size / small) / 256 * small
		if err := transferAll(false, fd, b, at); err != nil {
			return err
		}
		if got := binary.NativeEndian.Uint64(b); got != uint64(at) || binary.NativeEndian.Uint64(b[8:]) < d.rewritten {
			return errors.New("a block of the file isn't what was written there: the disk, or what lies between, lost it")
		}
	}
	return nil
}

func mincore(m, in []byte) error {
	_, _, errno := unix.RawSyscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(unsafe.SliceData(m))), uintptr(len(m)), uintptr(unsafe.Pointer(unsafe.SliceData(in))))
	if errno != 0 {
		return errno
	}
	return nil
}
