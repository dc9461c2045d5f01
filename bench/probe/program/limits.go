package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench/probe/line"
)

// What wants more than a limit allows: of the processor, of memory, of
// processes. Each stops by itself at a bound of its own, so that a limit that
// nobody keeps does no harm either.

// paused is how long a thread that never sleeps has to be without a processor to
// have been stopped by its quota: more than a few turns of others on the same one
// (8 ms here), and less than two threads' pause at 150 % (25 ms).
const paused = 15 * time.Millisecond

// spin keeps two threads busy for ms milliseconds, as a section "spin". Its
// values are the processors' worth of time that it got (value), and the middle
// one of the pauses that it was made to take, in seconds (pause; without any, 0).
// It begins and ends with the first instruction after a pause: a span of whole
// periods of the quota, where there is one.
func spin(t *talk, o options) error {
	ms, err := o.number("ms", 500)
	if err != nil {
		return err
	}
	return t.section("spin", func() ([]line.Pair, error) {
		var over atomic.Bool
		var other sync.WaitGroup
		other.Go(func() {
			for !over.Load() {
				sink++
			}
		})
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		got, pauses := turns(int64(ms) * int64(time.Millisecond))
		over.Store(true)
		other.Wait()
		slices.Sort(pauses)
		middle := 0.0
		if len(pauses) > 0 {
			middle = float64(pauses[len(pauses)/2]) / 1e9
		}
		return []line.Pair{line.Number("value", got), line.Number("pause", middle), line.Count("pauses", int64(len(pauses)))}, nil
	})
}

// turns computes for that many nanoseconds at least, from the end of a pause to
// the end of another. A quota's period is a tenth of a second: without a pause
// in two of them there is nothing to wait for.
func turns(length int64) (got float64, pauses []int64) {
	const wait = int64(200 * time.Millisecond)
	began := now()
	from, spent := began, cpuTime()
	running := false
	for last := began; ; {
		at := now()
		woken := at-last > int64(paused)
		switch {
		case !running && (woken || at-began > wait):
			running, from, spent = true, at, cpuTime()
		case running && woken:
			pauses = append(pauses, at-last)
		}
		if running && at-from >= length && (woken || len(pauses) == 0 || at-from > length+wait) {
			return float64(cpuTime()-spent) / float64(at-from), pauses
		}
		last = at
	}
}

// grow takes memory, a MiB at a time, each page written to, until it has to=
// bytes. It says after each how many it holds: what it says last before it is
// killed is how far it came. The section "grow" has the same as value.
//
//	files=DIR  it writes a file there instead, each MiB safe on the disk before the next:
//	           memory that the kernel can take back
//	swap=DIR   it makes a swap file of to= bytes there before, and has the kernel use
//	           it: for guests alone, whose kernel ends with them
func grow(t *talk, o options) error {
	to, err := o.number("to", 32<<20)
	if err != nil {
		return err
	}
	if o["swap"] != "" {
		if err := swapOn(filepath.Join(o["swap"], "swap"), to); err != nil {
			return err
		}
	}
	k := newMark(t.token)
	more := func(int64) error {
		m, err := pages(1 << 20)
		if err == nil {
			k.touch(m)
		}
		return err
	}
	if o["files"] != "" {
		f, err := nameless(o["files"])
		if err != nil {
			return err
		}
		defer f.Close()
		block := make([]byte, 1<<20)
		more = func(at int64) error {
			_, err := f.WriteAt(block, at)
			return errors.Join(err, f.Sync())
		}
	}
	return t.section("grow", func() ([]line.Pair, error) {
		held := int64(0)
		for held < to {
			if err := more(held); err != nil {
				return nil, err
			}
			held += 1 << 20
			if err := t.fact("grow", line.Count("held", held)); err != nil {
				return nil, err
			}
		}
		return []line.Pair{line.Number("value", float64(held))}, nil
	})
}

// swapOn makes a swap file, as mkswap(8) does, and has the kernel use it.
func swapOn(name string, size int64) error {
	page := int64(os.Getpagesize())
	head := make([]byte, page)
	*(*[2]uint32)(unsafe.Pointer(&head[1024])) = [2]uint32{1, uint32(size/page - 1)} // the version, and the last page
	copy(head[page-10:], "SWAPSPACE2")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	// It may have no holes: the kernel writes to its blocks past the file system.
	err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	if err == nil {
		_, err = f.WriteAt(head, 0)
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	c, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(c)), 0, 0); errno != 0 {
		return os.NewSyscallError("swapon", errno)
	}
	return nil
}

// writes writes a file of 8 MiB in dir= for ms milliseconds, 256 KiB at a time and past
// the page cache, so that a limit on what reaches the disk counts each of them. The
// section "writes" has the bytes a second (value).
func writes(t *talk, o options) error {
	ms, err := o.number("ms", 500)
	if err != nil {
		return err
	}
	f, err := nameless(o["dir"])
	if err != nil {
		return err
	}
	defer f.Close()
	const size, block = 8 << 20, 256 << 10
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFL, unix.O_DIRECT); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	buf, err := pages(block)
	if err != nil {
		return err
	}
	write := func(n int64) error {
		_, err := f.WriteAt(buf, n*block%size)
		return err
	}
	for n := range int64(size / block) { // what a group that slept may write at once is behind it
		if err := write(n); err != nil {
			return err
		}
	}
	return t.section("writes", func() ([]line.Pair, error) {
		began := now()
		at, n := began, int64(0)
		for ; at-began < ms*int64(time.Millisecond); n++ {
			if err := write(n); err != nil {
				return nil, err
			}
			at = now()
		}
		return []line.Pair{line.Number("value", float64(n*block)/float64(at-began)*1e9)}, nil
	})
}

// bomb is a fork bomb: each process starts others, which do the same, until the
// kernel refuses one, or there are most= of them. The section "bomb" has how many
// processes there were, this one included (value), the kernel's refusals, and how
// many seconds it took until all were refused.
// They end with the section.
func bomb(t *talk, o options) error {
	most, err := o.number("most", 64)
	if err != nil {
		return err
	}
	b, err := newBurst(most)
	if err != nil {
		return err
	}
	return t.section("bomb", func() ([]line.Pair, error) {
		took, err := b.explode()
		return []line.Pair{line.Number("value", float64(b.counts[0])), line.Count("refused", b.counts[1]),
			line.Number("took", float64(took)/1e9)}, err
	})
}

// A burst is what a fork bomb's processes count in, and how many there may be.
// counts are of the processes, of the kernel's refusals, and of those that have
// stopped trying, but for the first.
type burst struct {
	counts *[3]int64
	most   int64
}

func newBurst(most int64) (*burst, error) {
	mem, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	// Its children's children come to this process, to be waited for.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("prctl", err)
	}
	spare()
	return &burst{counts: (*[3]int64)(unsafe.Pointer(&mem[0])), most: most}, nil
}

// explode is one fork bomb, from the first fork to the end of all its processes.
// It returns the nanoseconds until each was refused a further one. At the limit
// Go's scheduler couldn't have a further thread either, and would end the
// program: raw system calls alone, until the others are gone.
func (b *burst) explode() (took int64, err error) {
	var fds [2]int
	if err := unix.Pipe(fds[:]); err != nil {
		return 0, os.NewSyscallError("pipe", err)
	}
	began := now()
	*b.counts = [3]int64{1}
	multiply(b.counts, b.most, uintptr(fds[0]), uintptr(fds[1]))
	// The others are still at it until each was refused one, or the bound is
	// reached.
	for now()-began < int64(5*time.Second) && atomic.LoadInt64(&b.counts[0]) != atomic.LoadInt64(&b.counts[2])+1 {
		rest()
	}
	took = now() - began
	for _, fd := range fds {
		unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) // the write end is what they wait for
	}
	for errno := unix.Errno(0); errno == 0 || errno == unix.EINTR; {
		_, _, errno = unix.RawSyscall6(unix.SYS_WAIT4, ^uintptr(0), 0, 0, 0, 0, 0)
	}
	return took, nil
}

// spare makes Go's scheduler keep as many threads idle as it may ever want at a
// time, so that it needs no further one at the limit.
func spare() {
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) + 2 {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for range 5 {
				time.Sleep(time.Millisecond) // holds this thread and no other's
			}
		})
	}
	all.Wait()
}

// rest sleeps for a millisecond without telling Go's scheduler.
func rest() {
	ts := unix.NsecToTimespec(int64(time.Millisecond))
	unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
}

// multiply starts processes until it can't; counts are a burst's.
// A child is a copy of this thread alone, without Go's scheduler: it may use
// its stack, and raw system calls, and never returns.
//
//go:norace
func multiply(counts *[3]int64, most int64, read, write uintptr) {
	child := false
	for {
		if atomic.AddInt64(&counts[0], 1) > most {
			atomic.AddInt64(&counts[0], -1)
			break
		}
		pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if errno != 0 {
			atomic.AddInt64(&counts[0], -1)
			atomic.AddInt64(&counts[1], 1)
			break
		}
		if pid == 0 && !child {
			child = true
			unix.RawSyscall(unix.SYS_CLOSE, write, 0, 0)
		}
	}
	if !child {
		return
	}
	atomic.AddInt64(&counts[2], 1)
	var b [1]byte
	for {
		if _, _, errno := unix.RawSyscall(unix.SYS_READ, read, uintptr(unsafe.Pointer(&b[0])), 1); errno != unix.EINTR {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
}
