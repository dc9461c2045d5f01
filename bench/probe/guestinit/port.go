package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	portName = "lab.init"
	portWait = 20 * time.Second
)

// openPort opens the virtio serial port of a name. The driver learns of its
// ports, and of their names, by messages from the device after it was loaded,
// so the port may still have to come; the kernel tells of it on a netlink
// socket.
func openPort(name string) (*os.File, error) {
	events, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer unix.Close(events)
	// Group 1 has the kernel's own messages.
	if err := unix.Bind(events, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	deadline := time.Now().Add(portWait)
	for {
		dev, err := findPort(name)
		if err != nil {
			return nil, err
		}
		if dev != "" {
			return os.OpenFile("/dev/"+dev, os.O_RDWR, 0)
		}
		left := time.Until(deadline)
		if left <= 0 {
			return nil, fmt.Errorf("no virtio port %s came within %v", name, portWait)
		}
		tv := unix.NsecToTimeval(int64(left))
		if err := unix.SetsockoptTimeval(events, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			return nil, os.NewSyscallError("setsockopt", err)
		}
		// Whatever it says, something changed: look again. A message may be
		// sent before the name's file is there, but the name's own change is
		// followed by one (virtio_console.c, VIRTIO_CONSOLE_PORT_NAME).
		var buf [4096]byte
		unix.Read(events, buf[:])
	}
}

// findPort looks for the port's device, such as vport0p1; "" is none yet.
func findPort(name string) (string, error) {
	files, err := filepath.Glob("/sys/class/virtio-ports/*/name")
	if err != nil {
		return "", err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil && strings.TrimSpace(string(b)) == name {
			return filepath.Base(filepath.Dir(f)), nil
		}
	}
	return "", nil
}
