// Guestinit is the first program in a guest of the lab: a small init.
//
// It is in the guest's initramfs, below /.lab, and not in the image. The order
// of steps:
//
//  1. mount what programs expect: /proc, /sys, /dev, cgroup v2;
//  2. load the kernel's virtio modules, and remove them and itself from the
//     file tree: what runs here sees the image and nothing else;
//  3. open the virtio serial port called lab.init, and say hello;
//  4. execute what the host asks for, until the port's other end is closed;
//     then switch the machine off. Package wire has the language.
//
// It is a program of its own rather than a part of the lab's, since each guest
// unpacks and starts it anew, and the lab's is ten times as large.
package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guestinit: this is the lab's init for guests; it does nothing elsewhere")
		os.Exit(2)
	}
	if err := run(); err != nil {
		// The console is the host's to read.
		fmt.Fprintln(os.Stderr, "guestinit:", err)
	}
	unix.Sync()
	// A reset: without ACPI there is no power switch, and the host ends the
	// machine either way.
	unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	select {} // PID 1 mustn't end
}

func run() error {
	boot := prepare()
	port, err := openPort(portName)
	if err != nil {
		return fmt.Errorf("%w (before that: %v)", err, boot)
	}
	return serve(port, boot)
}
