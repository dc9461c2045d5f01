package cli

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// catch returns the signals of PassedOn that come from now on; they wait until the
// function is called.
//
// It is signal.Notify for a program that is to start fast: that has a thread of its
// own, and hands over to it and back for each signal, a tenth of what a start takes.
// Here a handler of some ten instructions writes to a pipe, which nobody reads before
// the command was started. A window that changes is
// left to whoever has the terminal: window is whether that is us.
func catch(window bool) (func() <-chan os.Signal, error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	caughtTo = int32(pipe[1])
	var action struct{ handler, flags, restorer, mask uintptr } // struct sigaction of the kernel
	action.handler, action.restorer = handler()
	const onStack, restart, restorer = 0x08000000, 0x10000000, 0x04000000
	action.flags, action.mask = onStack|restart, ^uintptr(0)
	if runtime.GOARCH == "amd64" {
		action.flags |= restorer
	}
	for _, s := range PassedOn {
		if s == syscall.SIGWINCH && window {
			continue
		}
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s.(syscall.Signal)), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0); errno != 0 {
			return nil, fmt.Errorf("catch signal %d: %w", s, errno)
		}
	}
	return sync.OnceValue(func() <-chan os.Signal {
		c, f := make(chan os.Signal, 16), os.NewFile(uintptr(pipe[0]), "signals")
		go func() {
			var b [1]byte
			for {
				if _, err := f.Read(b[:]); err != nil {
					return
				}
				c <- syscall.Signal(b[0])
			}
		}()
		return c
	}), nil
}

// caughtTo is the descriptor that the handler writes to.
var caughtTo int32

// handler has the addresses of the handler and of what it returns to, 0 where that
// is the kernel's.
func handler() (caught, resume uintptr)
