package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// await looks for something until it is there. Between two looks it waits for
// the kernel to tell of a device on a netlink socket.
func await(what string, atMost time.Duration, look func() (bool, error)) error {
	events, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(events)
	// Group 1 has the kernel's own messages.
	if err := unix.Bind(events, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	return awaitOn(events, what, atMost, look)
}

// awaitOn looks for something again after each message on a socket that was
// opened before the first look: nothing can come unseen between the two.
func awaitOn(events int, what string, atMost time.Duration, look func() (bool, error)) error {
	deadline := time.Now().Add(atMost)
	for {
		ok, err := look()
		if ok || err != nil {
			return err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("no %s came within %v", what, atMost)
		}
		tv := unix.NsecToTimeval(int64(left))
		if err := unix.SetsockoptTimeval(events, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
		// Whatever it says, something changed.
		var buf [8192]byte
		unix.Read(events, buf[:])
	}
}
