package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench/histogram"
	"lab/bench/probe/line"
)

// What a program asks the kernel for, and what the kernel needs the machine
// for. Raw system calls throughout: Go's own tell its scheduler of each.

// syscalls makes the shortest system call. Value: seconds a call.
func syscalls() (*running, error) {
	return &running{work: func(rounds int) error {
		for range rounds {
			unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
		}
		return nil
	}}, nil
}

// faultPages is how many pages are taken and given back at a time: 16 MiB, so
// that the mapping itself is nothing beside them.
const faultPages = 4096

// faults touches fresh pages of 4 KiB, one after the other, and gives them back.
// Value: seconds a page, its return included.
func faults() (*running, error) {
	size := os.Getpagesize()
	return &running{
		value: func(perRound float64) float64 { return perRound / faultPages },
		work: func(rounds int) error {
			for range rounds {
				// One fault a page: the kernel may take 512 at a time.
				mem, err := smallPages(faultPages * size)
				if err != nil {
					return os.NewSyscallError("mmap", err)
				}
				for i := 0; i < len(mem); i += size {
					mem[i] = 1
				}
				if err := unix.Munmap(mem); err != nil {
					return os.NewSyscallError("munmap", err)
				}
			}
			return nil
		}}, nil
}

// switches sends a byte to another process on the same CPU and back. Value:
// seconds a switch, of which a round has two.
func switches() (*running, error) { return pong(false) }

// ipis sends a byte to a process on another CPU, which sleeps and is woken by an
// interrupt from ours, and back. Value: seconds a wake-up.
func ipis() (*running, error) { return pong(true) }

// pong starts a process that echoes bytes, on the CPU that we are pinned to or
// on another one.
func pong(apart bool) (*running, error) {
	// The goroutine stays on this thread until close.
	runtime.LockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	cpus := list(&before)
	if apart && len(cpus) < 2 {
		runtime.UnlockOSThread()
		return &running{skip: "the program sees one CPU"}, nil
	}
	mine, theirs := cpus[0], cpus[0]
	if apart {
		theirs = cpus[1]
	}
	var there, back [2]int
	if err := errors.Join(unix.Pipe2(there[:], unix.O_CLOEXEC), unix.Pipe2(back[:], unix.O_CLOEXEC)); err != nil {
		return nil, err
	}
	// It inherits its CPU.
	if err := pin(theirs); err != nil {
		return nil, err
	}
	pid, err := syscall.ForkExec(self(), []string{self(), "echo"}, &syscall.ProcAttr{
		Files: []uintptr{uintptr(there[0]), uintptr(back[1]), 2}})
	unix.Close(there[0])
	unix.Close(back[1])
	if err != nil {
		return nil, errors.New("start " + self() + ": " + err.Error())
	}
	if err := pin(mine); err != nil {
		return nil, err
	}
	var b [1]byte
	at := uintptr(unsafe.Pointer(&b[0]))
	r := &running{
		value: func(perRound float64) float64 { return perRound / 2 },
		work: func(rounds int) error {
			for range rounds {
				if n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(there[1]), at, 1); n != 1 {
					return os.NewSyscallError("write", errno)
				}
				if n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(back[0]), at, 1); n != 1 {
					return os.NewSyscallError("read", errno)
				}
			}
			return nil
		},
		close: func() {
			unix.Close(there[1]) // its end
			unix.Close(back[0])
			syscall.Wait4(pid, nil, 0, nil)
			unix.SchedSetaffinity(0, &before)
			runtime.UnlockOSThread()
			runtime.KeepAlive(&b)
		},
	}
	return r, nil
}

// echo is pong's other end.
func echo() {
	runtime.LockOSThread()
	var b [1]byte
	at := uintptr(unsafe.Pointer(&b[0]))
	for {
		if n, _, _ := unix.RawSyscall(unix.SYS_READ, 0, at, 1); n != 1 {
			return
		}
		if n, _, _ := unix.RawSyscall(unix.SYS_WRITE, 1, at, 1); n != 1 {
			return
		}
	}
}

func pin(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return errors.New("run on CPU " + strconv.Itoa(cpu) + " alone: " + err.Error())
	}
	return nil
}

// list is the CPUs of a set, from the lowest on.
func list(set *unix.CPUSet) (cpus []int) {
	for i := 0; len(cpus) < set.Count(); i++ {
		if set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	return cpus
}

// self is the path of this program; without /proc (chroot), as it was called.
func self() string {
	if p, err := os.Executable(); err == nil {
		return p
	}
	return os.Args[0]
}

// execs starts a program of less than 200 bytes, and waits for its end. Value:
// seconds a start, which is clone, execve, exit and wait.
func execs() (*running, error) {
	ready := filepath.Join(filepath.Dir(self()), "ready")
	argv := []string{ready, ""} // it writes its argument: nothing
	return &running{work: func(rounds int) error {
		for range rounds {
			pid, err := syscall.ForkExec(ready, argv, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
			if err != nil {
				return errors.New("start " + ready + ": " + err.Error())
			}
			var ws syscall.WaitStatus
			if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil || ws != 0 {
				return errors.New(ready + " ended badly")
			}
		}
		return nil
	}}, nil
}

// nap is how long timers sleep.
const nap = 100_000 // ns

// timers sleeps for a tenth of a millisecond again and again. Value: the seconds
// by which the middle one of all sleeps is late; it also gives the distribution.
// The mean of a few would be of those that somebody else's time slice made
// a hundred times as late.
func timers() (*running, error) {
	runtime.LockOSThread()
	// A thread's timers may be put off by 50 µs (prctl(2)); not these.
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("prctl", err)
	}
	h := &histogram.Histogram{}
	return &running{
		reset: func() { h = &histogram.Histogram{} },
		value: func(float64) float64 {
			ns, _ := h.Quantile(0.5)
			return ns / 1e9
		},
		work: func(rounds int) error {
			for range rounds {
				until := now() + nap
				if err := sleep(until); err != nil {
					return err
				}
				h.Add(now() - until)
			}
			return nil
		},
		after: func(t *talk) error { return t.samples("timer", h) },
		close: func() {
			unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0)
			runtime.UnlockOSThread()
		},
	}, nil
}

// sleep sleeps until the clock of now reads until. A signal (Go's scheduler sends
// some) ends a sleep early.
func sleep(until int64) error {
	ts := unix.NsecToTimespec(until)
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME,
			uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return os.NewSyscallError("clock_nanosleep", errno)
	}
}

// samples tells a distribution.
func (t *talk) samples(name string, h *histogram.Histogram) error {
	pairs := []line.Pair{{Key: "unit", Value: "s"}}
	for _, b := range h.Buckets() {
		pairs = append(pairs, line.Pair{Key: "b", Value: strconv.Itoa(b.Index) + ":" + strconv.FormatInt(b.Count, 10)})
	}
	return t.say(line.Line{Kind: line.Samples, Name: name, Pairs: pairs})
}
