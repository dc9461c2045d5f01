package machine

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
	"lab/bench/image"
)

// observe looks and tries. Load comes first: the rest makes some.
func observe(ctx context.Context, o Options) seen {
	t := tree(o.Root)
	s := seen{root: os.Geteuid() == 0, namespaces: map[string]error{}}
	s.pressure = pressureNow(t.read("/proc/pressure/cpu"))
	s.steal = stealShare(t.read("/proc/stat"))
	s.facts, _ = Facts(o.Root)
	s.layout, _ = cgroup.ReadIn(o.Root)
	s.available, s.swapFree = meminfo(t, "MemAvailable"), meminfo(t, "SwapFree")
	s.confined = confined(t)

	for _, n := range namespaces {
		if s.root || !n.root {
			s.namespaces[n.name] = tryNamespace(n.flags, s.facts.Kernel)
		}
	}
	if s.root {
		s.cache = existing(o.Cache)
		s.overlay, s.mountAPI, s.idmap = tryOverlay(), tryMountAPI(), tryIDMap(s.cache)
		s.network, s.nat, s.tap = tryNetwork(), tryNAT(), tryTap()
	}

	s.qemu = ask(ctx, "--version", "qemu-system-x86_64")
	s.libvirt = ask(ctx, "--version", "libvirtd", "virtqemud")
	for _, pattern := range []string{"/usr/lib/*/libvirt/connection-driver", "/usr/lib64/libvirt/connection-driver", "/usr/lib/libvirt/connection-driver"} {
		found, _ := filepath.Glob(t.path(pattern + "/libvirt_driver_qemu.so"))
		s.driver = s.driver || len(found) > 0
	}
	s.kernel, s.modules = guestKernel(o)
	for _, b := range []string{filepath.Join(o.Cache, "busybox/bin/busybox"), t.path("/bin/busybox"), t.path("/usr/bin/busybox")} {
		if s.busybox == "" && image.IsStatic(b) {
			s.busybox = b
		}
	}
	s.image = o.Image != "" && tree(o.Image).has(".")
	s.broken = o.Broken
	work := o.Work
	if work == "" {
		work = "."
	}
	s.disk = []room{free("cache", o.Cache), free("writable data", work)}
	if o.Accel != nil {
		a, err := o.Accel(ctx)
		s.accel, s.accelErr = &a, err
	}
	return s
}

var version = regexp.MustCompile(`\d+(\.\d+)+`)

// ask runs the first of some programs that is there, with an argument that
// makes it tell its version.
func ask(ctx context.Context, arg string, names ...string) program {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil { // a user's PATH on Debian has no sbin
			path, err = exec.LookPath("/usr/sbin/" + name)
		}
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, path, arg).Output()
		v := version.FindString(string(out))
		if err == nil && v == "" {
			err = errors.New("tells no version")
		}
		return program{path, v, err}
	}
	return program{}
}

// guestKernel finds the kernel that guests boot, and whether it has modules.
func guestKernel(o Options) (path string, modules bool) {
	path, lib := o.Kernel, "/lib/modules"
	if path == "" {
		found, _ := filepath.Glob(filepath.Join(o.Cache, "kernel/boot/vmlinuz-*"))
		if len(found) == 0 {
			return "", false
		}
		path, lib = found[len(found)-1], filepath.Join(o.Cache, "kernel/lib/modules")
	} else if _, err := os.Stat(path); err != nil {
		return "", false
	}
	_, release, _ := strings.Cut(filepath.Base(path), "-")
	_, err := os.Stat(filepath.Join(lib, release))
	return path, release != "" && err == nil
}

// existing is dir, or the nearest folder above it that is there.
func existing(dir string) string {
	for dir != "" && dir != filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return "/"
}

// free asks the nearest folder that is there.
func free(what, dir string) room {
	if dir == "" {
		return room{what: what, err: errors.New("no folder")}
	}
	var st unix.Statfs_t
	err := unix.Statfs(dir, &st)
	for at := dir; errors.Is(err, unix.ENOENT) && at != filepath.Dir(at); {
		at = filepath.Dir(at)
		err = unix.Statfs(at, &st)
	}
	return room{what, dir, int64(st.Bavail) * st.Bsize, err}
}

// pressureNow reads the 10-second average of /proc/pressure/cpu, -1 where the
// kernel doesn't count pressure.
func pressureNow(text string) float64 {
	_, rest, ok := strings.Cut(text, "some avg10=")
	if !ok {
		return -1
	}
	percent, _, _ := strings.Cut(rest, " ")
	f, err := strconv.ParseFloat(percent, 64)
	if err != nil {
		return -1
	}
	return f / 100
}

// stealShare is the part of all processor time since the start that the
// hypervisor kept for itself: the eighth figure of proc_stat(5)'s first row.
func stealShare(stat string) float64 {
	line, _, _ := strings.Cut(stat, "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return 0
	}
	var all, steal float64
	for i, v := range f[1:9] { // guest time, after these, is in user time too
		n, _ := strconv.ParseFloat(v, 64)
		all += n
		if i == 7 {
			steal = n
		}
	}
	if all == 0 {
		return 0
	}
	return steal / all
}
