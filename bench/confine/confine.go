// Package confine lists what root in a container keeps, and what of the machine's it
// doesn't get to see: one list for the lab's own container and for those that it has
// other people's programs make, so that these are compared as equals.
//
// It is data, and a leaf.
package confine

import "golang.org/x/sys/unix"

// A Capability is one of the powers of root (capabilities(7)), by its number and as
// the programs that make containers spell it.
type Capability struct {
	Number uintptr
	Name   string
}

// Capabilities are what root inside keeps: podman's default, which is docker's
// without MKNOD, NET_RAW and AUDIT_WRITE. Without MKNOD no cgroup needs to
// say which devices may be opened, since none can be made.
var Capabilities = []Capability{
	{unix.CAP_CHOWN, "CAP_CHOWN"}, {unix.CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"}, {unix.CAP_FOWNER, "CAP_FOWNER"}, {unix.CAP_FSETID, "CAP_FSETID"},
	{unix.CAP_KILL, "CAP_KILL"}, {unix.CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"}, {unix.CAP_SETFCAP, "CAP_SETFCAP"}, {unix.CAP_SETGID, "CAP_SETGID"},
	{unix.CAP_SETPCAP, "CAP_SETPCAP"}, {unix.CAP_SETUID, "CAP_SETUID"}, {unix.CAP_SYS_CHROOT, "CAP_SYS_CHROOT"},
}

// CapabilityNames are their names.
func CapabilityNames() (out []string) {
	for _, c := range Capabilities {
		out = append(out, c.Name)
	}
	return out
}

// Paths below /proc: a file that is hidden shows an empty one, a folder an
// empty folder. What this kernel hasn't got needs no hiding.
var (
	HiddenFiles   = []string{"kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug", "interrupts"}
	HiddenFolders = []string{"acpi", "asound", "scsi"}
	ReadOnly      = []string{"bus", "fs", "irq", "sys", "sysrq-trigger"}
)

// HiddenSys are paths below /sys, all folders.
var HiddenSys = []string{"firmware", "devices/virtual/powercap"}
