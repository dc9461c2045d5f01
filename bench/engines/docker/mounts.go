package docker

import (
	"os"

	"golang.org/x/sys/unix"

	"lab/bench/foreign"
	"lab/bench/testbed"
)

// enter takes the calling thread to the mount namespace that the engine lives in, with
// what it writes to /etc, such as a key, in bed.
func enter(tb *testbed.Testbed, bed string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return os.NewSyscallError("make mounts slaves", err)
	}
	return foreign.Seclude(tb, bed, "etc")
}
