package launch

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A baton is handed over once, from one thread to another that waits for it.
//
// A channel would do the same through Go's scheduler: that wakes some thread,
// which looks for work, finds the goroutine, and hands it to its own thread,
// while a further one wakes up to look for more, on the processor that the new
// program is about to run on. A futex wakes the one thread that it is about.
// Measured on two processors: Start returns some 12 µs after exec, not 28.
//
// Where Go has a single processor the waiter would keep it, for up to 10 ms:
// there it is a channel after all.
type baton struct {
	passed atomic.Uint32
	c      chan struct{} // nil: by futex
}

func newBaton() *baton {
	b := new(baton)
	if runtime.GOMAXPROCS(0) == 1 {
		b.c = make(chan struct{})
	}
	return b
}

// See futex(2); the operations are of the kind that one process has for itself.
const (
	futexWait = 0 | 128
	futexWake = 1 | 128
)

// pass hands the baton over. It doesn't wait for who takes it.
func (b *baton) pass() {
	if b.c != nil {
		close(b.c)
		return
	}
	b.passed.Store(1)
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&b.passed)), futexWake, 1, 0, 0, 0)
}

// take waits until the baton was passed. What was written before that is seen.
func (b *baton) take() {
	if b.c != nil {
		<-b.c
		return
	}
	for b.passed.Load() == 0 { // the kernel compares once more, and may return for nothing
		unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&b.passed)), futexWait, 0, 0, 0, 0)
	}
}
