package container

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/input"
	"lab/bench/launch"
)

// A time namespace shifts two clocks: the monotonic one, which programs
// measure spans with, and the one that counts from boot. The date is the
// machine's for all. It is there for programs that are moved from one machine to
// another while they run; here it lets a container begin at zero, so that
// uptime(1) says how old it is (time_namespaces(7)).
//
// A process isn't born in one. unshare(2) makes it for the process's children,
// or, where the process shares its memory with another still, for itself from
// exec on (Linux 6.2). Until then nobody is in it and its offsets can be set.

// timeOffsets are what lets both clocks begin now. They count from the machine's own
// clocks, and the lab may itself be in a namespace that shifts them.
func timeOffsets() (string, error) {
	text, _ := input.Kernel("/proc/self/timens_offsets") // none: nothing is shifted
	shifted := offsetsIn(string(text))
	var b strings.Builder
	for _, clock := range []int32{unix.CLOCK_MONOTONIC, unix.CLOCK_BOOTTIME} {
		var now unix.Timespec
		if err := unix.ClockGettime(clock, &now); err != nil {
			return "", os.NewSyscallError("clock_gettime", err)
		}
		// Seconds may be negative, nanoseconds may not.
		back := unix.NsecToTimespec(shifted[clock] - now.Nano())
		fmt.Fprintf(&b, "%d %d %d\n", clock, back.Sec, back.Nsec)
	}
	return b.String(), nil
}

// offsetsIn reads the kernel's table: a clock by name (by number before Linux 5.9),
// seconds, nanoseconds. The result is in nanoseconds.
func offsetsIn(text string) map[int32]int64 {
	out := map[int32]int64{}
	for line := range strings.Lines(text) {
		var name string
		var sec, nsec int64
		if n, _ := fmt.Sscan(line, &name, &sec, &nsec); n != 3 {
			continue
		}
		switch name {
		case "monotonic", "1":
			out[unix.CLOCK_MONOTONIC] = sec*1e9 + nsec
		case "boottime", "7":
			out[unix.CLOCK_BOOTTIME] = sec*1e9 + nsec
		}
	}
	return out
}

// timed says whether there is a time namespace.
func (c *container) timed() bool { return c.spec.Settings["time"] == "yes" }

// newTime has the child make a time namespace, which it is in when it executes. A
// further command can't join it, for the reason above, and gets one with the
// same offsets.
//
// proc is a descriptor of the lab's own /proc: the one inside is no place to
// write to.
func (c *container) newTime(tape *launch.Tape, proc int) {
	const file = launch.Reg(3)
	tape.Call("unshare the time namespace", unix.SYS_UNSHARE, unix.CLONE_NEWTIME)
	tape.CallTo(file, "open", unix.SYS_OPENAT, proc, "self/timens_offsets", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	tape.Call("set the clocks", unix.SYS_WRITE, file, c.offsets, len(c.offsets))
}

// openProc opens the lab's /proc, while it is there to be seen.
func openProc(t *launch.Thread) (int, error) {
	fd, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: "/proc", Err: err}
	}
	keep(t, fd, "proc")
	return fd, nil
}

// checkTime says whether this kernel has what time=yes needs.
func checkTime() error {
	const cure = "Linux 6.2 or later with CONFIG_TIME_NS, or --variant time=no"
	if !exists("/proc/self/ns/time") {
		return bench.Unavailable("this kernel has no time namespaces", cure)
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return os.NewSyscallError("uname", err)
	}
	release := unix.ByteSliceToString(u.Release[:])
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err == nil && (major < 6 || major == 6 && minor < 2) {
		return bench.Unavailable("a vforked child enters its time namespace from Linux 6.2 on, and this is "+release, cure)
	}
	return nil
}
