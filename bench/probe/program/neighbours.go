package main

import (
	"errors"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench/histogram"
	"lab/bench/probe/line"
)

// A program that is disturbed, and those that disturb it. Each of these stops by
// itself: at the host's word, at the end of its input, and after a bounded time;
// what it takes is bounded, too.

// A unit is a small computation, as a request to a server is one: a generator
// (see integer) whose numbers pick places in a table of a MiB, so that it needs the
// processor and its cache.
type unit struct {
	x     uint64
	table *[1 << unitBits]uint64
}

const (
	unitBits   = 17   // of an index into the table: a MiB
	unitRounds = 2000 // some tens of microseconds
)

func newUnit() (*unit, error) {
	mem, err := smallPages(8 << unitBits)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	u := &unit{88172645463325252, (*[1 << unitBits]uint64)(unsafe.Pointer(&mem[0]))}
	for i := range u.table {
		u.table[i] = uint64(i)
	}
	return u, nil
}

func (u *unit) do() error {
	x := u.x
	for range unitRounds {
		x ^= x >> 12
		x ^= x << 25
		x ^= x >> 27
		at := &u.table[x*2685821657736338717>>(64-unitBits)]
		x += *at | 1
		*at = x
	}
	u.x = x
	return nil
}

// pace is how often a unit is due: a request every two milliseconds.
const pace = int64(2 * time.Millisecond)

// victim works in one thread: with what=disk as diskVictim says, else in two sections of
// about ms milliseconds. work:
// units back to back; value: units a second, by the clock, so that the time which
// others had the processor is in it. pace: a unit is due every two milliseconds,
// whether the one before it is done or not; the samples are the seconds from when
// it was due to when it was done.
func victim(t *talk, o options) error {
	if o["what"] == "disk" {
		return diskVictim(t, o)
	}
	ms, err := o.number("ms", 500)
	if err != nil {
		return err
	}
	u, err := newUnit()
	if err != nil {
		return err
	}
	budget := ms * int64(time.Millisecond)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil { // see timers
		return os.NewSyscallError("prctl", err)
	}
	err = t.section("work", func() ([]line.Pair, error) {
		count := 0
		began := now()
		at := began
		for ; at-began < budget; at = now() {
			u.do()
			count++
		}
		return []line.Pair{line.Number("value", float64(count)/float64(at-began)*1e9)}, nil
	})
	if err != nil {
		return err
	}
	h := &histogram.Histogram{}
	err = t.section("pace", func() ([]line.Pair, error) {
		began := now()
		for due := began + pace; due <= began+budget; due += pace {
			if err := sleep(due); err != nil {
				return nil, err
			}
			u.do()
			h.Add(now() - due)
		}
		return []line.Pair{line.Count("value", h.N())}, nil
	})
	if err != nil {
		return err
	}
	return t.samples("pace", h)
}

// diskVictim writes 4 KiB at a random place of a file of 16 MiB in dir=, and has them
// safe on the disk before the next, for ms milliseconds, as a database does: value is
// how many a second, and the samples are how long each took.
func diskVictim(t *talk, o options) error {
	ms, err := o.number("ms", 500)
	if err != nil {
		return err
	}
	f, err := nameless(o["dir"])
	if err != nil {
		return err
	}
	defer f.Close()
	const blocks, size = 4096, 4096
	block := make([]byte, size)
	for n := range int64(blocks) {
		if _, err := f.WriteAt(block, n*size); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	h := &histogram.Histogram{}
	x := uint64(88172645463325252)
	err = t.section("writes", func() ([]line.Pair, error) {
		began := now()
		at := began
		for at-began < ms*int64(time.Millisecond) {
			x ^= x >> 12
			x ^= x << 25
			x ^= x >> 27
			_, err := f.WriteAt(block, int64(x%blocks)*size)
			if err = errors.Join(err, unix.Fdatasync(int(f.Fd()))); err != nil {
				return nil, err
			}
			after := now()
			h.Add(after - at)
			at = after
		}
		return []line.Pair{line.Number("value", float64(h.N())/float64(at-began)*1e9)}, nil
	})
	if err != nil {
		return err
	}
	return t.samples("writes", h)
}

// neighbours are the ways to disturb: each makes what every thread of it does
// again and again.
var neighbours = map[string]func(options) ([]func() error, error){
	"equal":   equal,
	"cache":   thrash,
	"memory":  hoard,
	"forks":   forks,
	"disk":    storm,
	"network": flood,
}

// disturb is a neighbour in the way what= until the host answers its section's
// beginning: the section "disturb" is the time in which it does. Each of its
// threads has done its first round before it begins. It has how many rounds there
// were (value), and whether ms milliseconds were over before (early), after which
// it stops in any case.
func disturb(t *talk, o options) error {
	ms, err := o.number("ms", 10_000)
	if err != nil {
		return err
	}
	open := neighbours[o["what"]]
	if open == nil {
		return errors.New("what=" + o["what"] + " is no neighbour")
	}
	rounds, err := open(o)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + len(rounds)) // they never let go of theirs
	deadline := now() + ms*int64(time.Millisecond)
	var count atomic.Int64
	var over atomic.Bool
	begun, ended := make(chan error, len(rounds)), make(chan error, len(rounds))
	for _, round := range rounds {
		go func() {
			runtime.LockOSThread()
			err := round()
			for begun <- err; err == nil && !over.Load() && now() < deadline; err = round() {
				count.Add(1)
			}
			ended <- err
		}()
	}
	for range rounds {
		if err := <-begun; err != nil {
			return err
		}
	}
	return t.section("disturb", func() ([]line.Pair, error) {
		early := int64(0)
		if now() >= deadline {
			early = 1
		}
		over.Store(true)
		var errs []error
		for range rounds {
			errs = append(errs, <-ended)
		}
		return []line.Pair{line.Number("value", float64(count.Load())), line.Count("early", early)}, errors.Join(errs...)
	})
}

// everywhere makes a thread for each processor that the program may use.
func everywhere(open func() (func() error, error)) (rounds []func() error, err error) {
	for range runtime.NumCPU() {
		round, err := open()
		if err != nil {
			return nil, err
		}
		rounds = append(rounds, round)
	}
	return rounds, nil
}

// equal does the victim's units back to back, on every processor.
func equal(options) ([]func() error, error) {
	return everywhere(func() (func() error, error) {
		u, err := newUnit()
		if err != nil {
			return nil, err
		}
		return u.do, nil
	})
}

// thrash writes to every cache line of more memory than a cache has, on every
// processor.
func thrash(options) ([]func() error, error) {
	return everywhere(func() (func() error, error) {
		mem, err := smallPages(32 << 20)
		return func() error {
			for i := 0; i < len(mem); i += cacheLine {
				mem[i]++
			}
			return nil
		}, err
	})
}

// hoard takes memory, each page written to, until all threads have to= bytes
// together, gives it back, and begins anew, on every processor.
func hoard(o options) ([]func() error, error) {
	to, err := o.number("to", 32<<20)
	if err != nil {
		return nil, err
	}
	return everywhere(func() (func() error, error) {
		k := mark{}
		return func() error {
			mem, err := smallPages(max(int(to)/runtime.NumCPU(), os.Getpagesize()))
			if err != nil {
				return os.NewSyscallError("mmap", err)
			}
			k.touch(mem)
			return unix.Munmap(mem)
		}, nil
	})
}

// forks is a fork bomb of at most 128 processes, over and over.
func forks(options) ([]func() error, error) {
	b, err := newBurst(128)
	if err != nil {
		return nil, err
	}
	return []func() error{func() error {
		_, err := b.explode()
		return err
	}}, nil
}

// storm writes a file of at most to= bytes in dir=, a MiB at a time, each safe on
// the disk before the next, over and over. The file has no
// name.
func storm(o options) ([]func() error, error) {
	to, err := o.number("to", 32<<20)
	if err != nil {
		return nil, err
	}
	f, err := nameless(o["dir"])
	if err != nil {
		return nil, err
	}
	block := make([]byte, 1<<20)
	at := int64(0)
	return []func() error{func() error {
		_, err := f.WriteAt(block, at)
		if at += int64(len(block)); at+int64(len(block)) > to {
			at = 0
		}
		return errors.Join(err, f.Sync())
	}}, nil
}

// flood sends TCP streams of 8 MiB to a serve at to=ADDRESS:PORT, one after another, as
// fast as that takes them. Each is ended, and counted at the other end, before the next:
// what a process sends last is lost if its network namespace goes with it.
func flood(o options) ([]func() error, error) {
	c, err := newClient(o)
	if err != nil {
		return nil, err
	}
	buf := make([]byte, block)
	return []func() error{func() error {
		fd, err := c.open('1')
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for range 64 {
			if _, err := send(fd, buf, 0); err != nil {
				return os.NewSyscallError("send", err)
			}
		}
		_, err = c.counted([]unix.PollFd{{Fd: int32(fd)}})
		return err
	}}, nil
}
