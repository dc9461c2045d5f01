// Guestinit is the first program in a guest of the lab: a small init.
//
// It is in the guest's initramfs, below /.lab, and not in the image. Its
// arguments say what the guest has (wire.Boot). The order of steps:
//
//  1. load the kernel modules of the guest's devices, and remove them and
//     itself from the file tree: what runs here sees the image and nothing else;
//  2. where the image is a disk, mount it, put a writable layer over it and
//     make that the root; mount the data disk; configure the network card;
//  3. where the workload is to be PID 1: become the workload. Else:
//  4. mount what programs expect: /proc, /sys, /dev, cgroup v2;
//  5. open the virtio serial port called lab.init, or the terminal line that was named,
//     and say hello;
//  6. execute what the host asks for, until the port's other end is closed;
//     then switch the machine off. Package wire has the language.
//
// In a distribution (vm-distro) it is a unit of systemd's, from whose point of view all of
// this happens in namespaces of the unit's: a PID namespace, of which it is the first
// process, a mount namespace and a name.
//
// In Xen's first domain (xen with domain=pv or pvh) it starts a guest of Xen's, in which it
// runs as in any guest, and carries what that and the host say (domain.go).
//
// It is a program of its own rather than a part of the lab's, since each guest
// unpacks and starts it anew, and the lab's is ten times as large.
package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"lab/bench/probe/guestinit/wire"
)

// began is when this program did, on the kernel's clock.
var began = now()

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
	b, err := wire.ParseBoot(os.Args[1:])
	if err != nil {
		return err
	}
	if b.Domain.Type != "" {
		return domain(b)
	}
	boot := prepare(b)
	if len(b.Exec) > 0 {
		if boot != nil {
			return boot
		}
		return become(b.Exec)
	}
	port, err := openPort(b.Port)
	if err != nil {
		return fmt.Errorf("%w (before that: %v)", err, boot)
	}
	return serve(port, boot, b)
}

// become makes this process, PID 1, the workload. It returns with an error
// alone, in the kernel's own words, which the host knows.
func become(argv []string) error {
	errno := errnoOf(unix.Exec(argv[0], argv, os.Environ()))
	return fmt.Errorf("Requested init %s failed (error -%d)", argv[0], int(errno))
}
