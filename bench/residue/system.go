package residue

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
	"lab/bench/testbed"
)

// mounts are those of this process's namespace.
func mounts(o Options) ([]Item, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var out []Item
	times := map[string]int{}
	auto := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		before, after, _ := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if len(f) < 6 || len(g) < 2 {
			return nil, fmt.Errorf("mountinfo: a line of too few fields: %q", line)
		}
		i := Item{Kind: Mount, Name: f[4], Detail: strings.Join([]string{g[0], g[1], f[3], f[5]}, " ")}
		if times[i.Name]++; times[i.Name] > 1 { // one over another
			i.Name += " #" + strconv.Itoa(times[i.Name])
		}
		for _, path := range []string{f[4], f[3], g[1]} {
			if ours, used := marked(o, path); ours {
				i.Ours, i.Used = true, used || cgroup.Owned(f[4])
				break
			}
		}
		i.Others = begins(f[4], "/var/lib/docker/", "/run/docker/", "/var/lib/containers/", "/run/containerd/", "/run/user/", "/run/credentials/", "/media/", "/snap/", "/run/snapd/") ||
			auto[f[4]] && g[0] != "autofs" // mounted by whoever looks, and taken away again
		auto[f[4]] = g[0] == "autofs"
		out = append(out, i)
	}
	return out, nil
}

func begins(s string, with ...string) bool {
	return slices.ContainsFunc(with, func(p string) bool { return strings.HasPrefix(s, p) })
}

// links are this network namespace's devices and their addresses.
func links(Options) ([]Item, error) {
	ls, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	var out []Item
	for _, l := range ls {
		a := l.Attrs()
		// Not its state: the other side of a cable may be switched off.
		i := Item{Kind: Link, Name: a.Name, Detail: fmt.Sprintf("%s mtu %d", l.Type(), a.MTU)}
		i.Others = begins(a.Name, "docker", "br-", "veth", "virbr", "vnet", "podman", "cni", "wl", "tun", "ppp")
		addrs, err := netlink.AddrList(l, netlink.FAMILY_ALL)
		if err != nil {
			return nil, err
		}
		for _, x := range addrs {
			ip, _ := netip.AddrFromSlice(x.IP)
			at := Item{Kind: Address, Name: x.IPNet.String() + " on " + a.Name, Others: i.Others || x.ValidLft > 0 && x.ValidLft < 1<<31-1} // leased
			at.Ours = testbed.Subnet.Contains(ip.Unmap())
			i.Ours = i.Ours || at.Ours
			out = append(out, at)
		}
		i.Ours = i.Ours || a.Name == testbed.Bridge || bridgePort(a.Name)
		out = append(out, i)
	}
	return out, nil
}

// bridgePort says whether a name is one of testbed.BridgePort's.
func bridgePort(name string) bool {
	return len(name) == 7 && begins(name, "v12", "v13") && strings.Trim(name[1:], "0123456789abcdef") == ""
}

// tables are nftables', with the number of rules in each.
func tables(Options) ([]Item, error) {
	c, err := nftables.New()
	if err != nil {
		return nil, err
	}
	ts, err := c.ListTables()
	if err != nil {
		return nil, err
	}
	chains, err := c.ListChains()
	if err != nil {
		return nil, err
	}
	var out []Item
	for _, t := range ts {
		n := 0
		for _, ch := range chains {
			if ch.Table.Name == t.Name && ch.Table.Family == t.Family {
				if rules, err := c.GetRules(t, ch); err == nil {
					n += len(rules)
				}
			}
		}
		out = append(out, Item{Kind: Table, Name: fmt.Sprintf("%d %s", t.Family, t.Name), Detail: fmt.Sprintf("%d rules", n),
			Ours: begins(t.Name, "lab-")})
	}
	return out, nil
}

// restless are sysctls that change by themselves, as prefixes below /proc/sys.
var restless = []string{
	"fs/aio-nr", "fs/dentry-state", "fs/file-nr", "fs/inode-nr", "fs/inode-state", "fs/dquot-nr", "fs/quota/", "fs/mqueue/",
	"kernel/random/", "kernel/ns_last_pid", "kernel/pty/nr", "kernel/tainted", "kernel/perf_event_max_sample_rate", "kernel/keys/", "kernel/sched_domain/",
	"net/netfilter/nf_conntrack_count", "dev/cdrom/", "kernel/spl/", "vm/stat_refresh", "vm/compact_memory", "vm/drop_caches", "sunrpc/",
	// Of a network device: it comes and goes with that.
	"net/ipv4/conf/", "net/ipv6/conf/", "net/ipv4/neigh/", "net/ipv6/neigh/", "net/mpls/conf/",
}

// sysctls are the settings of the kernel that don't change by themselves.
func sysctls(o Options) ([]Item, error) {
	top := filepath.Join("/", o.Root, "proc/sys")
	var out []Item
	err := filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(name, top+"/")
		if err != nil && name == top {
			return err
		}
		if err != nil {
			return nil
		}
		all := begins(rel, "net/ipv4/conf/all/", "net/ipv4/conf/default/", "net/ipv6/conf/all/", "net/ipv6/conf/default/")
		switch {
		case d.IsDir() && rel == "fs/binfmt_misc": // a file system of its own, which systemd mounts for who looks in
			return filepath.SkipDir
		case d.IsDir() || begins(rel, restless...) && !all:
			return nil
		}
		if b, err := os.ReadFile(name); err == nil { // some can only be written, and some aren't set
			out = append(out, Item{Kind: Sysctl, Name: rel, Detail: strings.Join(strings.Fields(string(b)), " ")})
		}
		return nil
	})
	return out, err
}

// domains are libvirt's, those of the machine's own daemon: what runs and what is
// defined. A private daemon's are the testbed's.
func domains(o Options) ([]Item, error) {
	var out []Item
	for _, x := range []struct {
		kind Kind
		at   string
	}{
		{Domain, "run/libvirt/qemu/*.xml"}, {Domain, "etc/libvirt/qemu/*.xml"},
		{Network, "run/libvirt/network/*.xml"}, {Network, "etc/libvirt/qemu/networks/*.xml"},
	} {
		for _, f := range glob("/", o.Root, x.at) {
			i := Item{Kind: x.kind, Name: f}
			i.Ours, i.Used = named(o, filepath.Base(f))
			out = append(out, i)
		}
	}
	return out, nil
}

// loops are the loop devices that have a file.
func loops(o Options) ([]Item, error) {
	var out []Item
	for _, f := range glob("/", o.Root, "sys/block/loop*/loop/backing_file") {
		file := contents(f)
		i := Item{Kind: Loop, Name: filepath.Base(filepath.Dir(filepath.Dir(f))), Detail: file, Others: begins(file, "/var/lib/snapd/")}
		i.Ours, i.Used = marked(o, file)
		i.Ours = i.Ours || o.Cache != "" && begins(file, o.Cache+"/")
		out = append(out, i)
	}
	return out, nil
}

// shared is shared memory: files of POSIX's, and System V's by number, queues and
// semaphores included.
func shared(o Options) ([]Item, error) {
	var out []Item
	for _, f := range append(glob(o.Dev, "shm/*"), glob(o.Dev, "mqueue/*")...) {
		i := Item{Kind: Shared, Name: f}
		i.Ours, i.Used = named(o, filepath.Base(f))
		out = append(out, i)
	}
	for _, kind := range []string{"shm", "sem", "msg"} {
		for line := range strings.Lines(contents(filepath.Join("/proc/sysvipc", kind))) {
			if f := strings.Fields(line); len(f) > 4 && f[0] != "key" {
				out = append(out, Item{Kind: Shared, Name: "System V " + kind + " " + f[1], Detail: "key " + f[0]})
			}
		}
	}
	return out, nil
}

// devices are all device files with owner and mode, without terminals, which change
// hands at each login.
func devices(o Options) ([]Item, error) {
	var out []Item
	err := filepath.WalkDir(o.Dev, func(name string, d fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(name, o.Dev+"/")
		switch {
		case err != nil && name == o.Dev:
			return err
		case err != nil:
			return nil
		case d.IsDir() && slices.Contains([]string{"pts", "shm", "mqueue", "hugepages"}, rel):
			return fs.SkipDir
		case d.IsDir() || begins(rel, "tty", "vcs", "console", "hvc"):
			return nil
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		if st.Mode&syscall.S_IFMT == syscall.S_IFCHR || st.Mode&syscall.S_IFMT == syscall.S_IFBLK {
			out = append(out, Item{Kind: Device, Name: name,
				Detail: fmt.Sprintf("%d:%d mode %04o owner %d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev), st.Mode&0o7777, st.Uid, st.Gid)})
		}
		return nil
	})
	return out, err
}
