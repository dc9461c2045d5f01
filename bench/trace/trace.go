// Package trace counts, from outside, what threads of this machine ask its kernel for:
// system calls, and a guest's exits from its processor (KVM).
//
// # How it counts
//
// The kernel has a trace point at the entry of every system call (raw_syscalls:sys_enter)
// and at every exit of a guest (kvm:kvm_exit). perf_event_open(2) opens a counter of such
// a point for one thread on one processor, which threads and processes that it starts
// inherit. The counters give exact totals. The kernel also writes each event into a ring
// of its processor's, which says which system call it was, or why the guest left.
// Nothing is stopped, as it would be by ptrace(2); an event costs about a microsecond, so
// that what is timed must not be counted at the same time.
//
// What a process does whose system calls somebody else answers (a program in user-mode
// Linux, stopped at each by ptrace) doesn't reach the kernel, and isn't counted; what
// that somebody asks for instead is.
//
// # What it leaves
//
// Nothing: all is descriptors. The numbers of the trace points stand in the file system
// tracefs, which is opened without being mounted anywhere.
package trace

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
)

// A Count is what happened while a [Watch] was open.
type Count struct {
	Calls  int64         // system calls
	Kinds  map[int]int64 // of them, by number; fewer if Lost
	Exits  int64         // of guests, from their processors
	Causes map[Cause]int64
	Lost   int64 // events that no ring had room for: counted, and in no kind
}

// The trace points, by their folders in tracefs. Only the first is everywhere.
var points = []string{"raw_syscalls/sys_enter", "kvm/kvm_exit"}

// pointIDs are their numbers in this kernel; 0 is a point that it hasn't got.
var pointIDs = sync.OnceValues(func() (ids [2]uint64, err error) {
	fs, err := unix.Fsopen("tracefs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return ids, fmt.Errorf("open tracefs: %w", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return ids, fmt.Errorf("open tracefs: %w", err)
	}
	root, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return ids, fmt.Errorf("open tracefs: %w", err)
	}
	defer unix.Close(root)
	for n, p := range points {
		ids[n], err = pointID(root, p)
		if err != nil && (n == 0 || !errors.Is(err, unix.ENOENT)) {
			return ids, err
		}
	}
	return ids, nil
})

func pointID(root int, point string) (uint64, error) {
	name := filepath.Join("events", point, "id")
	fd, err := unix.Openat(root, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: "tracefs: " + name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 32)
}

// Check says whether this machine can count: an error says what refuses it.
func Check() error {
	w, err := New([]int{os.Getpid()})
	if err == nil {
		w.Stop()
	}
	return err
}

// A Watch counts from New to Stop.
type Watch struct {
	exits bool // these alone, and no rings
	ids   [2]uint64
	fds   map[int]int // counters: of which point
	rings map[int]*ring
	cpus  []int
	count Count
	stop  chan struct{}
	done  sync.WaitGroup
}

// New begins to count what all threads of these processes do, and whatever they start.
func New(pids []int) (*Watch, error) { return watch(pids, false) }

// NewExits is New for the total of a guest's exits alone, which costs each of them next
// to nothing. On a kernel without KVM there are none.
func NewExits(pids []int) (*Watch, error) { return watch(pids, true) }

func watch(pids []int, exits bool) (w *Watch, err error) {
	w = &Watch{exits: exits, fds: map[int]int{}, rings: map[int]*ring{}, stop: make(chan struct{}),
		count: Count{Kinds: map[int]int64{}, Causes: map[Cause]int64{}}}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.ids, err = pointIDs(); err != nil {
		return w, err
	}
	online, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return w, err
	}
	w.cpus = cgroup.CPUs(string(bytes.TrimSpace(online)))
	for _, pid := range pids {
		if err := w.process(pid); err != nil {
			return w, err
		}
	}
	w.done.Go(w.drain)
	return w, nil
}

// process opens counters for a process's threads, again until there is no further one.
func (w *Watch) process(pid int) error {
	seen := map[int]bool{}
	for more := true; more; {
		more = false
		all, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return err
		}
		for _, x := range all {
			tid, err := strconv.Atoi(x.Name())
			if err != nil || seen[tid] {
				continue
			}
			seen[tid], more = true, true
			if err := w.thread(tid); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
	}
	return nil
}

// thread opens its counters, one a point and processor.
func (w *Watch) thread(tid int) error {
	for point, id := range w.ids {
		if id == 0 || w.exits && point == 0 {
			continue
		}
		attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
			Config: id, Bits: unix.PerfBitInherit}
		if !w.exits {
			attr.Sample, attr.Sample_type = 1, unix.PERF_SAMPLE_RAW
		}
		for _, cpu := range w.cpus {
			fd, err := unix.PerfEventOpen(&attr, tid, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
			if err == unix.ENODEV {
				continue // it went away
			}
			if err != nil {
				return os.NewSyscallError("perf_event_open", err)
			}
			w.fds[fd] = point
			if w.exits {
				continue
			}
			if r := w.rings[cpu]; r != nil {
				err = unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_SET_OUTPUT, r.fd)
			} else {
				w.rings[cpu], err = newRing(fd)
			}
			if err != nil {
				return os.NewSyscallError("perf ring", err)
			}
		}
	}
	return nil
}

// drain empties the rings until Stop.
func (w *Watch) drain() {
	t := time.NewTicker(2 * time.Millisecond)
	defer t.Stop()
	for over := false; !over; {
		select {
		case <-w.stop:
			over = true
		case <-t.C:
		}
		for _, r := range w.rings {
			r.read(w.event)
		}
	}
}

// event takes one record of a ring's.
func (w *Watch) event(kind uint32, body []byte) {
	switch {
	case kind == unix.PERF_RECORD_LOST && len(body) >= 16:
		w.count.Lost += int64(binary.NativeEndian.Uint64(body[8:]))
	case kind == unix.PERF_RECORD_SAMPLE && len(body) >= 4+16:
		raw := body[4:] // after its length; the trace point's own fields are after eight bytes
		switch uint64(binary.NativeEndian.Uint16(raw)) {
		case w.ids[0]:
			w.count.Kinds[int(int64(binary.NativeEndian.Uint64(raw[8:])))]++
		case w.ids[1]:
			w.count.Causes[cause(raw)]++
		}
	}
}

// Stop ends the count, and returns it.
func (w *Watch) Stop() Count {
	for fd := range w.fds {
		unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_DISABLE, 0)
	}
	close(w.stop)
	w.done.Wait()
	var b [8]byte
	for fd, point := range w.fds {
		if n, err := unix.Read(fd, b[:]); err == nil && n == len(b) {
			v := int64(binary.NativeEndian.Uint64(b[:]))
			if point == 0 {
				w.count.Calls += v
			} else {
				w.count.Exits += v
			}
		}
	}
	w.close()
	return w.count
}

func (w *Watch) close() {
	for _, r := range w.rings {
		if r != nil {
			unix.Munmap(r.mem)
		}
	}
	for fd := range w.fds {
		unix.Close(fd)
	}
}

// A Cause is why a guest left its processor.
type Cause string

// Causes, as reports tell them apart.
const (
	ByIO        Cause = "io"        // it spoke to a device, by a port or the memory of one
	ByMemory    Cause = "memory"    // it touched memory that the host hadn't given it yet, or on AMD a device's
	ByHalt      Cause = "halt"      // it had nothing to do
	ByInterrupt Cause = "interrupt" // an interrupt came, or the guest dealt with one
	ByOther     Cause = "other"
)

// causes are by the processor's own numbers: Intel's (SDM, volume 3, appendix C) and
// AMD's (APM, volume 2, appendix C).
var causes = map[uint32]map[uint32]Cause{
	1: {30: ByIO, 49: ByIO, 48: ByMemory, 12: ByHalt, 1: ByInterrupt, 7: ByInterrupt, 44: ByInterrupt, 45: ByInterrupt, 52: ByInterrupt, 56: ByInterrupt},
	2: {0x7b: ByIO, 0x400: ByMemory, 0x78: ByHalt, 0x60: ByInterrupt, 0x64: ByInterrupt, 0x401: ByInterrupt, 0x402: ByInterrupt},
}

// cause reads a kvm_exit: the reason stands at 8, which vendor's it is at 24.
func cause(raw []byte) Cause {
	if len(raw) < 28 {
		return ByOther
	}
	reason := binary.NativeEndian.Uint32(raw[8:])
	if c, ok := causes[binary.NativeEndian.Uint32(raw[24:])][reason&0xffff]; ok {
		return c
	}
	return ByOther
}
