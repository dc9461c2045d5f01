package foreign

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"lab/bench/testbed"
)

// Seclude makes of the calling thread's mount namespace, which has to be its own, one in
// which an engine's daemon may think itself alone on a machine:
//
//   - /run is empty but for the testbed's folder: a containerd of the system's would be
//     used, and shims put their sockets there, whatever they are told;
//   - what is written to the top folders that written names (etc) goes to bed;
//   - the kernel's sysctls can't be written: it would raise the limit of keys;
//   - the testbed's cgroups are the tops of their hierarchies, as the path of a
//     container's cgroup is the same in each.
func Seclude(tb *testbed.Testbed, bed string, written ...string) error {
	if err := tb.Cgroups.Show(); err != nil {
		return err
	}
	if err := Cover("/run", tb); err != nil {
		return err
	}
	for _, name := range written {
		upper, work := filepath.Join(bed, name), filepath.Join(bed, name+".work")
		for _, dir := range []string{upper, work} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
		if err := unix.Mount("lab", "/"+name, "overlay", 0, "lowerdir=/"+name+",upperdir="+escape(upper)+",workdir="+escape(work)); err != nil {
			return fmt.Errorf("mount an overlay on /%s: %w", name, err)
		}
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
