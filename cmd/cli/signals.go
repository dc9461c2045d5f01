package cli

import (
	"os"
	"os/signal"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// PassedOn are the signals that exec passes on to its command.
var PassedOn = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT,
	syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH}

// waiting are PassedOn as a set, for the program's first instructions: entry.
var waiting uint64 = 1<<(unix.SIGINT-1) | 1<<(unix.SIGTERM-1) | 1<<(unix.SIGHUP-1) | 1<<(unix.SIGQUIT-1) |
	1<<(unix.SIGUSR1-1) | 1<<(unix.SIGUSR2-1) | 1<<(unix.SIGWINCH-1)

// signals are those of PassedOn that come from now on.
//
// For each of them signal.Notify hands over to a thread of its own and back, which
// is a tenth of what a start takes. So the program that starts fast has them blocked
// before Go's runtime begins, and with that in all of its threads, and reads them
// from a descriptor.
func signals() (<-chan os.Signal, error) {
	c := make(chan os.Signal, 16)
	var set unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, nil, &set); err != nil || set.Val[0]&waiting != waiting {
		signal.Notify(c, PassedOn...)
		return c, nil
	}
	set = unix.Sigset_t{}
	set.Val[0] = waiting
	fd, err := unix.Signalfd(-1, &set, unix.SFD_CLOEXEC|unix.SFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("signalfd", err)
	}
	f := os.NewFile(uintptr(fd), "signals")
	go func() {
		var info unix.SignalfdSiginfo
		for {
			if _, err := f.Read(unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info))); err != nil {
				return
			}
			c <- syscall.Signal(info.Signo)
		}
	}()
	return c, nil
}

// Unblock lets signals come to this thread as they came to the program's caller,
// for a program that is executed in place of this one.
func Unblock() error {
	var set unix.Sigset_t
	set.Val[0] = waiting
	return unix.PthreadSigmask(unix.SIG_UNBLOCK, &set, nil)
}
