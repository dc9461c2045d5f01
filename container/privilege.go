package container

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"lab/bench/confine"
	"lab/bench/launch"
)

// What root may do is not one power but some forty, the capabilities
// (capabilities(7)). A program that is executed by root gets those in the
// "bounding set" of its thread and no others, whatever it does. So this is
// where a container's root is made a lesser one than the machine's: it can
// change owners and bind low ports; it can't mount, load a module, set the
// clock, trace strangers or make a device node.

// dropped are all that this kernel knows but those that root inside keeps.
func dropped() []uintptr {
	var out []uintptr
	for n := uintptr(0); n < 64; n++ {
		if slices.ContainsFunc(confine.Capabilities, func(c confine.Capability) bool { return c.Number == n }) {
			continue
		}
		if _, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, n, 0, 0, 0); err != nil {
			break // the kernel's last one is behind us
		}
		out = append(out, n)
	}
	return out
}

// drop lessens what the thread's child will be able to get by executing a
// program. The child itself keeps its powers until then: it has /proc to
// mount.
func (c *container) drop(*launch.Thread) error {
	for _, n := range dropped() {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, n, 0, 0, 0); err != nil {
			return os.NewSyscallError("drop a capability", err)
		}
	}
	// The other ways to get one at exec: none are passed on, and no set-user-ID
	// bit or file capability adds any (PR_SET_NO_NEW_PRIVS(2const)).
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return os.NewSyscallError("clear ambient capabilities", err)
	}
	return os.NewSyscallError("set no_new_privs", unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
}
