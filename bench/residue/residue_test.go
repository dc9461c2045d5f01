package residue_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"lab/bench/benchtest"
	"lab/bench/cgroup"
	"lab/bench/residue"
	"lab/bench/testbed"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

// id is a testbed's that never was, and whose owner therefore is dead.
const id = "0dead0ff"

// place is a machine that is nobody else's: the testbed's namespaces, and folders of
// the test's own for what no namespace covers.
func place(t *testing.T) residue.Options {
	tb := benchtest.Testbed(t)
	top, err := os.MkdirTemp(tb.Dir, "place-") // a tmpfs, where device files can be made
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	o := residue.Options{Root: filepath.Join(top, "root"), Run: filepath.Join(top, "run"), Dev: filepath.Join(top, "dev"),
		Cache: filepath.Join(top, "cache"), Work: []string{filepath.Join(top, "work")}, Tree: os.Getpid()}
	for _, dir := range []string{"run", "dev/shm", "cache", "work", "root/run/libvirt/qemu", "root/etc/libvirt/qemu/networks", "root/sys/block/loop7/loop", "root/proc/sys/vm"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file(t, filepath.Join(o.Root, "proc/sys/vm/swappiness"), "60\n")
	if err := unix.Mknod(filepath.Join(o.Dev, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(o.Dev, "null"), 0o666); err != nil {
		t.Fatal(err)
	}
	return o
}

func file(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// planted are residues of each kind. Each plant returns how to take it away.
var planted = []struct {
	name   string
	kind   residue.Kind
	change residue.Change
	ours   bool // it bears the lab's mark
	counts bool
	plant  func(t *testing.T, o residue.Options) (undo func())
}{
	{"process", residue.Process, residue.Made, true, true, func(t *testing.T, o residue.Options) func() { return sleeper(t) }},
	{"namespace", residue.Namespace, residue.Made, true, true, func(t *testing.T, o residue.Options) func() {
		return sleeper(t, "unshare", "-u")
	}},
	{"mount", residue.Mount, residue.Made, false, true, func(t *testing.T, o residue.Options) func() {
		return mount(t, filepath.Join(o.Root, "sys"))
	}},
	{"mount of a run folder", residue.Mount, residue.Made, true, true, func(t *testing.T, o residue.Options) func() {
		dir := filepath.Join(o.Run, id)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		undo := mount(t, dir)
		return func() { undo(); os.Remove(dir) }
	}},
	{"mount of Docker's", residue.Mount, residue.Made, false, false, func(t *testing.T, o residue.Options) func() {
		// Over the whole folder, of which nobody here knows.
		const dir = "/run/docker/lab-test"
		had := exists("/run/docker")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		undo := mount(t, dir)
		return func() {
			undo()
			os.Remove(dir)
			if !had {
				os.Remove("/run/docker")
			}
		}
	}},
	{"device", residue.Link, residue.Made, false, true, func(t *testing.T, o residue.Options) func() { return link(t, "eth7") }},
	{"bridge", residue.Link, residue.Made, true, true, func(t *testing.T, o residue.Options) func() { return link(t, testbed.Bridge) }},
	{"address", residue.Address, residue.Made, true, true, func(t *testing.T, o residue.Options) func() {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			t.Fatal(err)
		}
		a := &netlink.Addr{IPNet: &net.IPNet{IP: testbed.Subnet.Addr().Next().AsSlice(), Mask: net.CIDRMask(15, 32)}}
		if err := netlink.AddrAdd(lo, a); err != nil {
			t.Fatal(err)
		}
		return func() { netlink.AddrDel(lo, a) }
	}},
	{"table", residue.Table, residue.Made, true, true, func(t *testing.T, o residue.Options) func() {
		c, err := nftables.New()
		if err != nil {
			t.Fatal(err)
		}
		table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "lab-tcp-7f000001-80"})
		if err := c.Flush(); err != nil {
			t.Skip("SKIPPED: no nftables: ", err)
		}
		return func() { c.DelTable(table); c.Flush() }
	}},
	{"sysctl", residue.Sysctl, residue.Changed, false, true, func(t *testing.T, o residue.Options) func() {
		f := filepath.Join(o.Root, "proc/sys/vm/swappiness")
		file(t, f, "10\n")
		return func() { file(t, f, "60\n") }
	}},
	{"sysctl of a module", residue.Sysctl, residue.Made, false, false, func(t *testing.T, o residue.Options) func() {
		f := filepath.Join(o.Root, "proc/sys/vm/brought_by_a_module")
		file(t, f, "65536\n")
		return func() { os.Remove(f) }
	}},
	{"cgroup", residue.Cgroup, residue.Made, true, true, func(t *testing.T, o residue.Options) func() { return group(t, "lab-"+id) }},
	{"cgroup of a controller that the lab doesn't use", residue.Cgroup, residue.Made, true, true, func(t *testing.T, o residue.Options) func() {
		for _, c := range []string{"freezer", "devices", "systemd", "net_cls"} {
			if exists("/sys/fs/cgroup/" + c + "/cgroup.procs") {
				return folder(t, "/sys/fs/cgroup", c, "lab-"+id)
			}
		}
		t.Skip("SKIPPED: cgroup v2 has one hierarchy")
		return nil
	}},
	{"cgroup of somebody else's", residue.Cgroup, residue.Made, false, false, func(t *testing.T, o residue.Options) func() { return group(t, "label-"+id) }},
	{"domain", residue.Domain, residue.Made, true, true, func(t *testing.T, o residue.Options) func() {
		return plain(t, o.Root, "run/libvirt/qemu/lab-"+id+"-vm-1.xml")
	}},
	{"domain, unmarked", residue.Domain, residue.Made, false, true, func(t *testing.T, o residue.Options) func() {
		return plain(t, o.Root, "run/libvirt/qemu/precious.xml")
	}},
	{"network", residue.Network, residue.Made, false, true, func(t *testing.T, o residue.Options) func() {
		return plain(t, o.Root, "etc/libvirt/qemu/networks/default.xml")
	}},
	{"loop device", residue.Loop, residue.Made, true, true, func(t *testing.T, o residue.Options) func() {
		f := filepath.Join(o.Root, "sys/block/loop7/loop/backing_file")
		file(t, f, o.Cache+"/rootdisk/00.ext4\n")
		return func() { os.Remove(f) }
	}},
	{"shared memory", residue.Shared, residue.Made, true, true, func(t *testing.T, o residue.Options) func() {
		return plain(t, o.Dev, "shm/lab-"+id)
	}},
	{"System V shared memory", residue.Shared, residue.Made, false, false, func(t *testing.T, o residue.Options) func() {
		n, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4096, unix.IPC_CREAT|0o600)
		if err != nil {
			t.Fatal(err)
		}
		return func() { unix.SysvShmCtl(n, unix.IPC_RMID, nil) }
	}},
	{"run folder", residue.File, residue.Made, true, true, func(t *testing.T, o residue.Options) func() { return folder(t, o.Run, id) }},
	{"work folder", residue.File, residue.Made, true, true, func(t *testing.T, o residue.Options) func() { return folder(t, o.Work[0], "lab-"+id) }},
	{"half an image", residue.File, residue.Made, true, true, func(t *testing.T, o residue.Options) func() {
		os.Mkdir(filepath.Join(o.Cache, "image"), 0o755)
		return folder(t, o.Cache, "image/.new-1234")
	}},
	{"half a kernel", residue.File, residue.Made, true, true, func(t *testing.T, o residue.Options) func() {
		os.Mkdir(filepath.Join(o.Cache, "kernel-elf"), 0o755)
		return plain(t, o.Cache, "kernel-elf/new-1234")
	}},
	{"owner of a device file", residue.Device, residue.Changed, false, true, func(t *testing.T, o residue.Options) func() {
		f := filepath.Join(o.Dev, "null")
		if err := os.Chown(f, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		return func() { os.Chown(f, 0, 0) }
	}},
	{"mode of a device file", residue.Device, residue.Changed, false, true, func(t *testing.T, o residue.Options) func() {
		f := filepath.Join(o.Dev, "null")
		if err := os.Chmod(f, 0o777); err != nil {
			t.Fatal(err)
		}
		return func() { os.Chmod(f, 0o666) }
	}},
	{"new device file", residue.Device, residue.Made, false, false, func(t *testing.T, o residue.Options) func() {
		if err := unix.Mknod(filepath.Join(o.Dev, "zero"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil {
			t.Fatal(err)
		}
		return func() { os.Remove(filepath.Join(o.Dev, "zero")) }
	}},
}

// Each planted residue is seen, as what it is, and nothing else is; and it is seen
// that it is gone again.
func TestPlanted(t *testing.T) {
	benchtest.Testbed(t)
	seen := map[residue.Kind]bool{}
	for _, p := range planted {
		seen[p.kind] = true
		t.Run(p.name, func(t *testing.T) {
			o := place(t)
			before := take(t, o)
			undo := p.plant(t, o)
			undone := false
			defer func() {
				if !undone {
					undo()
				}
			}()
			after := take(t, o)
			found := false
			for _, d := range after.Since(before) {
				switch {
				case foreign(d.Item):
				case d.Item.Kind == p.kind && d.Change == p.change && d.Item.Ours == p.ours && d.Counts == p.counts:
					found = true
				case d.Counts && !related(p.name, d.Item.Kind):
					t.Errorf("it is said that there is a %v", d)
				}
			}
			if !found {
				t.Errorf("not seen as %s %s, ours %v, counts %v, in %v", p.change, p.kind, p.ours, p.counts, after.Since(before))
			}
			left := slices.ContainsFunc(after.Left(), func(i residue.Item) bool { return i.Kind == p.kind && !foreign(i) })
			if left != p.ours {
				t.Errorf("left of the lab's: %v, want %v: %v", left, p.ours, after.Left())
			}
			// What was written down is what was seen.
			b, err := json.Marshal(after)
			if err != nil {
				t.Fatal(err)
			}
			var back residue.Snapshot
			if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back.Items, after.Items) {
				t.Errorf("read back: %v", err)
			}
			undo()
			undone = true
			for _, d := range take(t, o).Since(before) {
				if d.Counts && !foreign(d.Item) {
					t.Errorf("after it was taken away: %v", d)
				}
			}
		})
	}
	for _, k := range []residue.Kind{residue.Process, residue.Mount, residue.Namespace, residue.Link, residue.Address, residue.Table, residue.Sysctl,
		residue.Cgroup, residue.Domain, residue.Network, residue.Loop, residue.Shared, residue.File, residue.Device} {
		if !seen[k] {
			t.Errorf("no %s is planted", k)
		}
	}
}

// related are what else a residue of the table's comes with.
func related(name string, k residue.Kind) bool {
	return name == "namespace" && k == residue.Process || name == "mount of a run folder" && k == residue.File
}

// foreign says that an item is of somebody's who tests the lab on this machine at the
// same time: cgroup folders are the only kind that no namespace hides.
func foreign(i residue.Item) bool {
	return i.Kind == residue.Cgroup && !strings.Contains(i.Name, id)
}

func take(t *testing.T, o residue.Options) residue.Snapshot {
	t.Helper()
	s := residue.Take(o)
	for k, why := range s.Unseen {
		if k != residue.Table {
			t.Errorf("%s: %s", k, why)
		}
	}
	return s
}

// What is in use isn't left: a run folder that is locked, and what bears its name.
func TestInUse(t *testing.T) {
	o := place(t)
	f, err := os.Open(o.Run)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	undo := folder(t, o.Run, id)
	defer undo()
	if f, err = os.Open(filepath.Join(o.Run, id)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	defer group(t, "lab-"+id)()
	defer plain(t, o.Root, "run/libvirt/qemu/lab-"+id+"-vm-1.xml")()
	own := func(items []residue.Item) (n int) {
		for _, i := range items {
			if strings.Contains(i.Name, id) {
				n++
			}
		}
		return n
	}
	s := take(t, o)
	if n := own(s.Left()); n != 0 || own(s.Used()) < 3 {
		t.Errorf("of what is locked %d are left, %d in use", n, own(s.Used()))
	}
	f.Close()
	s = take(t, o)
	if n := own(s.Left()); n < 3 || own(s.Used()) != 0 {
		t.Errorf("of what isn't any more %d are left, %d in use", n, own(s.Used()))
	}
}

// Names that only look like the lab's aren't.
func TestDecoyNames(t *testing.T) {
	o := place(t)
	for _, name := range []string{"lab", "lab-", "lab-x", "lab-0dead0f", "lab-0DEAD0FF", "lab-0dead0ff0", "xlab-0dead0ff", "label-0dead0ff", "lab-0dead0fg-vm-1"} {
		for _, dir := range []string{filepath.Join(o.Root, "run/libvirt/qemu"), filepath.Join(o.Dev, "shm"), o.Work[0]} {
			end := ""
			if strings.HasSuffix(dir, "qemu") {
				end = ".xml"
			}
			file(t, filepath.Join(dir, name+end), "")
		}
	}
	// What is whole in a cache is what that is for.
	file(t, filepath.Join(o.Cache, "acceleration.json"), "")
	for _, name := range []string{"new-1234", ".new-1234", "image/.new-plans", "projects/new-1234"} {
		os.MkdirAll(filepath.Join(o.Cache, name), 0o755)
	}
	for _, i := range take(t, o).Left() {
		if !foreign(i) {
			t.Errorf("%v is said to be the lab's", i)
		}
	}
}

func exists(name string) bool { _, err := os.Lstat(name); return err == nil }

func plain(t *testing.T, elem ...string) func() {
	t.Helper()
	name := filepath.Join(elem...)
	file(t, name, "")
	return func() { os.Remove(name) }
}

func folder(t *testing.T, elem ...string) func() {
	t.Helper()
	name := filepath.Join(elem...)
	if err := os.Mkdir(name, 0o700); err != nil {
		t.Fatal(err)
	}
	return func() { os.Remove(name) }
}

func mount(t *testing.T, dir string) func() {
	t.Helper()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	return func() { unix.Unmount(dir, unix.MNT_DETACH) }
}

func link(t *testing.T, name string) func() {
	t.Helper()
	a := netlink.NewLinkAttrs()
	a.Name = name
	l := &netlink.Bridge{LinkAttrs: a}
	if err := netlink.LinkAdd(l); err != nil {
		t.Fatal(err)
	}
	return func() { netlink.LinkDel(l) }
}

// group makes a cgroup folder without a tag.
func group(t *testing.T, name string) func() {
	t.Helper()
	l, err := cgroup.Read()
	if err != nil {
		t.Fatal(err)
	}
	point := l.V2
	if point == "" {
		point = l.V1["pids"]
	}
	if point == "" {
		t.Skip("SKIPPED: no cgroups here")
	}
	return folder(t, point, name)
}

// sleeper starts a process whose parent has ended.
func sleeper(t *testing.T, before ...string) func() {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", strings.Join(append(before, "sleep 1000"), " ")+" >/dev/null 2>&1 & echo $!")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(out), &pid); err != nil {
		t.Fatal(err)
	}
	// Until it is what it will be.
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); string(b) == "sleep\n" {
			break
		}
	}
	return func() {
		unix.Kill(pid, unix.SIGKILL)
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end) && exists(fmt.Sprintf("/proc/%d", pid)); time.Sleep(time.Millisecond) {
			testbed.Reap()
		}
	}
}
