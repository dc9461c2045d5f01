package docker

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"lab/bench/foreign"
	"lab/bench/testbed"
)

// enter takes the calling thread to the mount namespace that the engine lives in:
//
//   - /run is empty but for the testbed's folder: a containerd of the system's would be
//     used, and shims put their sockets there, whatever they are told;
//   - what it writes to /etc, such as a key, goes to bed;
//   - the kernel's sysctls can't be written: it would raise the limit of keys;
//   - the testbed's cgroups are the tops of their hierarchies, as the path of a
//     container's cgroup is the same in each.
func enter(tb *testbed.Testbed, bed string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return os.NewSyscallError("make mounts slaves", err)
	}
	if err := tb.Cgroups.Show(); err != nil {
		return err
	}
	if err := foreign.Cover("/run", tb); err != nil {
		return err
	}
	upper, work := filepath.Join(bed, "etc"), filepath.Join(bed, "etc.work")
	if err := unix.Mount("lab", "/etc", "overlay", 0, "lowerdir=/etc,upperdir="+upper+",workdir="+work); err != nil {
		return fmt.Errorf("mount an overlay on /etc: %w", err)
	}
	const sysctls = "/proc/sys/kernel"
	if err := unix.Mount(sysctls, sysctls, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", sysctls, err)
	}
	if err := unix.Mount("", sysctls, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("make %s read-only: %w", sysctls, err)
	}
	return nil
}
