package main

import (
	"errors"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A waiter asks which of some descriptors can be read from. It returns the call, which
// gives the number of those that can, and what gives back what it took.
type waiter func(fds []int) (call func() (int, error), closer func(), err error)

// waits asks which of n descriptors can be read from, without waiting; all can, as with
// LEBench's. Value: seconds a call.
func waits(n int, with waiter) (*running, error) {
	var fds []int
	closeAll := func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	for len(fds) < n {
		fd, err := unix.Eventfd(1, unix.EFD_CLOEXEC)
		if err == unix.EMFILE {
			closeAll()
			return &running{skip: "a process may have fewer than " + strconv.Itoa(n) + " files open here"}, nil
		}
		if err != nil {
			closeAll()
			return nil, os.NewSyscallError("eventfd", err)
		}
		fds = append(fds, fd)
	}
	call, closer, err := with(fds)
	if err != nil {
		closeAll()
		return nil, err
	}
	return &running{
		work: func(rounds int) error {
			for range rounds {
				got, err := call()
				if err != nil {
					return err
				}
				if got != n {
					return errors.New(strconv.Itoa(got) + " of " + strconv.Itoa(n) + " descriptors are said to be ready")
				}
			}
			return nil
		},
		close: func() { closer(); closeAll() },
	}, nil
}

func selects(fds []int) (func() (int, error), func(), error) {
	var all unix.FdSet
	for _, fd := range fds {
		if fd >= unix.FD_SETSIZE {
			return nil, nil, errors.New("select: descriptor " + strconv.Itoa(fd) + " is none that it can have")
		}
		all.Set(fd)
	}
	most := uintptr(fds[len(fds)-1] + 1)
	return func() (int, error) {
		set := all // the answer is written over the question
		n, _, errno := unix.RawSyscall6(unix.SYS_PSELECT6, most, uintptr(unsafe.Pointer(&set)), 0, 0, uintptr(unsafe.Pointer(&noTime)), 0)
		return count("pselect6", n, errno)
	}, func() {}, nil
}

func polls(fds []int) (func() (int, error), func(), error) {
	var list []unix.PollFd
	for _, fd := range fds {
		list = append(list, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	return func() (int, error) {
		n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&list[0])), uintptr(len(list)), uintptr(unsafe.Pointer(&noTime)), 0, 0, 0)
		return count("ppoll", n, errno)
	}, func() {}, nil
}

func epolls(fds []int) (func() (int, error), func(), error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, nil, os.NewSyscallError("epoll_create1", err)
	}
	for _, fd := range fds {
		if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			unix.Close(ep)
			return nil, nil, os.NewSyscallError("epoll_ctl", err)
		}
	}
	events := make([]unix.EpollEvent, len(fds))
	return func() (int, error) {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
		return count("epoll_pwait", n, errno)
	}, func() { unix.Close(ep) }, nil
}

// noTime makes a call that waits return at once.
var noTime unix.Timespec

// count is a raw call's answer.
func count(name string, n uintptr, errno unix.Errno) (int, error) {
	if errno != 0 {
		return 0, os.NewSyscallError(name, errno)
	}
	return int(n), nil
}
