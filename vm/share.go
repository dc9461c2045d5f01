package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/probe/guestinit/wire"
	"lab/vm/daemon"
)

// A folder of the host reaches a guest through virtiofs: a process on the host,
// virtiofsd, which libvirt starts beside QEMU, does what the guest's kernel asks
// for, and both share the guest's memory. As with a container's bind mount
// nothing is copied, and both sides see each other's writes.

// virtiofsd's places; newer distributions have it in a package of its own.
var virtiofsds = []string{"/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd", "/usr/lib/virtiofsd", "/usr/libexec/qemu/virtiofsd"}

// maxShares is how many there is room for on the root bus.
const maxShares = 8

// checkShares says whether this machine can show a guest the host's folders.
func checkShares(s bench.Spec) error {
	if len(s.Mounts) == 0 {
		return nil
	}
	if len(s.Mounts) > maxShares {
		return bench.NotApplicable(fmt.Sprintf("a guest can be shown %d folders at most", maxShares), "show a folder that holds them")
	}
	for _, m := range s.Mounts {
		if st, err := os.Stat(m.Source); err != nil || !st.IsDir() {
			return bench.NotApplicable(m.Source+" isn't a folder, and a guest can be shown nothing else", "show its folder")
		}
		if filepath.Clean(m.Target) == "/" {
			return bench.NotApplicable("a folder can't be the guest's root", "name the folder with --image")
		}
	}
	for _, path := range virtiofsds {
		if _, err := exec.LookPath(path); err == nil {
			return nil
		}
	}
	return bench.Unavailable("virtiofsd, through which a guest sees the host's folders, isn't installed", "apt-get install virtiofsd, or put the files into the image")
}

// shares are a Spec's mounts, as the guest's init has to mount them.
func shares(s bench.Spec) (out []wire.Share) {
	for n, m := range s.Mounts {
		out = append(out, wire.Share{Tag: fmt.Sprintf("lab-%d", n), Dir: filepath.Clean(m.Target), ReadOnly: m.ReadOnly})
	}
	return out
}

// share shows the daemon the folders, each at a place of its own.
func (i *instance) share() error {
	if len(i.spec.Mounts) == 0 {
		return nil
	}
	var binds []*daemon.Bind
	for n, m := range i.spec.Mounts {
		b := &daemon.Bind{From: m.Source, To: i.shareDir(n), Deep: true, Attr: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
		if m.ReadOnly {
			b.Attr |= unix.MOUNT_ATTR_RDONLY
		}
		binds = append(binds, b)
	}
	return i.show(binds...)
}

// shareDir is where the daemon sees an instance's folder.
func (i *instance) shareDir(n int) string {
	return filepath.Join(daemon.InsideShares, fmt.Sprintf("%s-%d", i.cfg.Name, n))
}

// show mounts in the daemon's namespace what is this instance's alone.
func (i *instance) show(binds ...*daemon.Bind) error {
	shown, err := i.env.own.Attach(binds...)
	i.shown = append(i.shown, shown...)
	return err
}
