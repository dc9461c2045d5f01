package machine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/cgroup"
	"lab/bench/image"
	"lab/bench/results"
)

// well is what is seen of a fixture's machine on which all that is tried works.
func well(t *testing.T, name string) seen {
	t.Helper()
	tr := tree(unpack(t, name))
	f, err := Facts(string(tr))
	if err != nil {
		t.Fatal(err)
	}
	f.Arch = "amd64"
	l, err := cgroup.ReadIn(string(tr))
	if err != nil {
		t.Fatal(err)
	}
	s := seen{root: true, facts: f, layout: l, namespaces: map[string]error{}, confined: confined(tr),
		accel: &results.Acceleration{Use: "kvm", Device: "/dev/kvm opens", Reason: "a guest ran"},
		qemu:  program{"/usr/bin/qemu-system-x86_64", "7.2.22", nil}, libvirt: program{"/usr/sbin/libvirtd", "9.0.0", nil}, driver: true,
		kernel: "/cache/kernel/boot/vmlinuz-6.1.0", modules: true, busybox: "/bin/busybox", image: true,
		available: meminfo(tr, "MemAvailable"), swapFree: meminfo(tr, "SwapFree"),
		disk:     []room{{"cache", "/cache", 9 << 30, nil}, {"writable data", ".", 9 << 30, nil}},
		pressure: pressureNow(tr.read("/proc/pressure/cpu")), steal: stealShare(tr.read("/proc/stat"))}
	for _, n := range namespaces {
		s.namespaces[n.name] = nil
	}
	return s
}

// notOK lists "result name" of what isn't well.
func notOK(checks []Check) []string {
	list := []string{}
	for _, c := range checks {
		if c.Result != OK {
			list = append(list, string(c.Result)+" "+c.Name)
		}
	}
	return list
}

func TestJudgeMachines(t *testing.T) {
	tests := []struct {
		name string
		want []string
	}{
		{"debian", []string{"warn limits", "warn swap", "warn governor", "warn AppArmor"}},
		{"hybrid", []string{"warn load", "warn nesting"}},
		{"ubuntu", []string{"warn memory", "warn nesting"}},
		{"fedora", []string{"warn governor", "warn SELinux"}},
		{"wsl2", []string{"warn nesting"}},
		{"aws", []string{"warn steal", "warn nesting"}},
		{"aws-metal", []string{"warn steal"}},
		{"gcp", []string{"warn cgroups", "warn nesting"}},
		{"emulated", []string{"warn cgroups", "warn nesting"}},
	}
	for _, test := range tests {
		s := well(t, test.name)
		if test.name == "hybrid" {
			s.steal = 0.01
		}
		if got := notOK(block(judge(s), ours)); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// bounded is a machine on which the lab's own cell has one limit.
func bounded(t *testing.T, file, text string) cgroup.Layout {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"proc/self/mountinfo": "30 20 0:25 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "proc/self/cgroup": "0::/x",
		"sys/fs/cgroup/cgroup.subtree_control": "cpu memory pids", "sys/fs/cgroup/x/cgroup.type": "domain", "sys/fs/cgroup/x/" + file: text,
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l, err := cgroup.ReadIn(root)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// ours are environments that rest on checks as the lab's own do.
var ours = func() []bench.About {
	on := func(name string, variants []bench.Rest, checks ...string) bench.About {
		return bench.About{Environment: results.Environment{Name: name}, Rests: append(bench.RestsOn(checks...), variants...)}
	}
	return []bench.About{
		on("host", []bench.Rest{{Check: "veth and bridge", Variant: "netns=own"}}, "root", "limits"),
		on("container", []bench.Rest{{Check: "user namespace", Variant: "user=yes"}, {Check: "idmapped mounts", Variant: "user=yes"}, {Check: "time namespace", Variant: "time=yes"},
			{Check: "veth and bridge", Variant: "net=bridge"}, {Check: "nftables", Variant: "publish=nftables"}},
			"root", "limits", "mnt namespace", "pid namespace", "net namespace", "overlayfs", "mount API", "busybox", "disk"),
		on("vm", []bench.Rest{{Check: "veth and bridge", Variant: "net=bridge"}, {Check: "tap", Variant: "net=bridge"}},
			"root", "limits", "system", "QEMU", "libvirt", "guest kernel", "busybox", "memory", "disk"),
		on("vm-bare", nil, "root", "limits", "system", "QEMU", "libvirt"),
	}
}()

// An environment's own checks are made, block it without its saying so, and are
// made once where two have the same.
func TestOwnChecks(t *testing.T) {
	engine := Check{Name: "engine", Result: Fail, Detail: "not installed", Why: "it makes them"}
	socket := Check{Name: "socket", Result: Fail, Detail: "closed", Why: "it is asked there"}
	a := checker{&benchtest.Fake{Label: "a", Says: bench.About{Rests: []bench.Rest{{Check: "socket", Variant: "x=y"}}}}, []Check{engine, socket}}
	b := checker{&benchtest.Fake{Label: "b"}, []Check{engine}}
	var got []string
	for _, c := range Checks(context.Background(), Options{Cache: t.TempDir(), Environments: []bench.Environment{a, b, &benchtest.Fake{Label: "c"}}}) {
		if c.Name == "engine" || c.Name == "socket" {
			got = append(got, string(c.Result)+" "+c.Name+": "+strings.Join(c.Blocks, ", "))
		}
	}
	if want := []string{"fail engine: a, b", "warn socket: a x=y"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

type checker struct {
	*benchtest.Fake
	checks []Check
}

func (c checker) Checks(context.Context) []Check { return c.checks }

// TestJudge spoils one thing at a time, and expects one check to say so.
func TestJudge(t *testing.T) {
	tests := []struct {
		name   string
		spoil  func(*seen)
		check  string
		result Result
		detail string // part of it
		cure   string // part of it
		blocks string
	}{
		{"no net namespace", func(s *seen) { s.namespaces["net"] = unix.EINVAL }, "net namespace", Fail, "invalid argument", "a kernel that has it", "container"},
		{"in a container", func(s *seen) { s.namespaces["mnt"] = unix.EPERM }, "mnt namespace", Fail, "not permitted", "docker run --privileged", "container"},
		{"limit", func(s *seen) { s.namespaces["pid"] = unix.ENOSPC }, "pid namespace", Fail, "no space", "sysctl user", "container"},
		{"no user namespaces", func(s *seen) { s.namespaces["user"] = unix.ENOSPC }, "user namespace", Warn, "needed for user=yes", "sysctl user", "container user=yes"},
		{"no time namespaces", func(s *seen) { s.namespaces["time"] = unix.EINVAL }, "time namespace", Warn, "needed for time=yes", "a kernel that has it", "container time=yes"},
		{"Linux 6.1", func(s *seen) { s.namespaces["time"] = errOldTime }, "time namespace", Warn, "vforked", "6.2", "container time=yes"},
		{"no idmapped mounts", func(s *seen) { s.idmap, s.cache = unix.EINVAL, "/cache" }, "idmapped mounts", Warn, "invalid argument: needed for user=yes (tried on /cache)", "LAB_CACHE", "container user=yes"},
		{"no overlay", func(s *seen) { s.overlay = unix.ENODEV }, "overlayfs", Fail, "no such device", "modprobe overlay", "container"},
		{"Linux 5.11", func(s *seen) { s.mountAPI = unix.ENOSYS }, "mount API", Fail, "not implemented", "5.12", "container"},
		{"no bridge", func(s *seen) { s.network = fmt.Errorf("bridge: %w", unix.EOPNOTSUPP) }, "veth and bridge", Warn, "bridge: ", "modprobe -a bridge veth", "host netns=own, container net=bridge, vm net=bridge"},
		{"no nftables", func(s *seen) { s.nat = unix.EPROTONOSUPPORT }, "nftables", Warn, "protocol not supported: needed for publish=nftables", "modprobe -a nf_tables", "container publish=nftables"},
		{"no tun", func(s *seen) { s.tap = unix.ENOENT }, "tap", Warn, "no such file", "modprobe tun", "vm net=bridge"},
		{"not root", func(s *seen) { s.root = false }, "root", Fail, "not root", "sudo", "host, container, vm, vm-bare"},
		{"not root, namespaces", func(s *seen) { delete(s.namespaces, "net") }, "net namespace", Warn, "not root: can't tell", "sudo", ""},
		{"not root, overlay", func(s *seen) { s.root = false }, "overlayfs", Warn, "not root: can't tell", "sudo", ""},
		{"arm64", func(s *seen) { s.facts.Arch = "arm64" }, "system", Fail, "no arm64 guest yet", "", "vm, vm-bare"},
		{"no KVM", func(s *seen) {
			s.accel = &results.Acceleration{Use: "tcg", Device: "no /dev/kvm", Reason: "There is no /dev/kvm: the CPU's virtualization is off, or this machine is a guest without it."}
		}, "KVM", Warn, "not usable: There is no /dev/kvm", "VT-x", ""},
		{"no KVM in a guest", func(s *seen) { s.accel, s.facts.Virtual = &results.Acceleration{Use: "tcg"}, true }, "KVM", Warn, "not usable", "nested=1", ""},
		{"no KVM in WSL", func(s *seen) { s.accel, s.facts.WSL = &results.Acceleration{Use: "tcg"}, true }, "KVM", Warn, "not usable", "wslconfig", ""},
		{"no probe", func(s *seen) { s.accelErr, s.qemu = errors.New("no QEMU"), program{} }, "KVM", Warn, "no QEMU", "make setup", ""},
		{"no QEMU", func(s *seen) { s.qemu = program{} }, "QEMU", Fail, "not installed", "make setup", "vm, vm-bare"},
		{"broken QEMU", func(s *seen) { s.qemu.err = errors.New("exit status 127") }, "QEMU", Fail, "doesn't run: exit status 127", "anew", "vm, vm-bare"},
		{"no libvirt", func(s *seen) { s.libvirt = program{} }, "libvirt", Fail, "not installed", "make setup", "vm, vm-bare"},
		{"no driver", func(s *seen) { s.driver = false }, "libvirt", Fail, "without its driver", "make setup", "vm, vm-bare"},
		{"no kernel", func(s *seen) { s.kernel = "" }, "guest kernel", Fail, "none in the cache", "LAB_KERNEL", "vm"},
		{"no modules", func(s *seen) { s.modules = false }, "guest kernel", Warn, "without its modules", "/lib/modules", ""},
		{"no busybox", func(s *seen) { s.busybox = "" }, "busybox", Fail, "no static one", "make setup", "container, vm"},
		{"no image", func(s *seen) { s.image = false }, "default image", OK, "not made yet", "", ""},
		{"a changed image", func(s *seen) { s.broken = true }, "default image", Warn, "changed since it was made", "lab image", ""},
		{"no memory", func(s *seen) { s.available = 1 << 20 }, "memory", Fail, "1 MiB of", "ps ", "vm"},
		{"no disk", func(s *seen) { s.disk[1].free = 1 << 20 }, "disk", Fail, "1 MiB free for writable data", "LAB_CACHE", "container, vm"},
		{"little disk", func(s *seen) { s.disk[0].free = 1 << 30 }, "disk", Warn, "1.0 GiB free for cache", "LAB_CACHE", ""},
		{"disk unknown", func(s *seen) { s.disk[0].err = unix.EIO }, "disk", Warn, "input/output error", "", ""},
		{"pressure unknown", func(s *seen) { s.pressure = -1 }, "load", OK, "psi=1", "", ""},
		{"busy", func(s *seen) { s.facts.Load = 20 }, "load", Warn, "20.00 in the last minute", "top", ""},
		{"cgroup v2, none passed on", func(s *seen) { s.layout.V2Controllers = nil }, "cgroups", Warn, "without cpu, memory, pids", "systemctl status", ""},
		{"an old root that passes nothing on", func(s *seen) {
			s.layout, _ = cgroup.ReadIn(string(tree(unpack(t, "ubuntu"))))
			s.layout.V2Controllers = nil
		}, "cgroups", Warn, "without cpu, memory, pids", "start the lab in a cgroup", ""},
		{"a quota", func(s *seen) { s.layout = bounded(t, "cpu.max", "20000 100000") }, "limits", Warn, "cpu 20 % of a processor (/sys/fs/cgroup/x)", "outside of x", ""},
		{"a memory limit", func(s *seen) { s.layout = bounded(t, "memory.max", "100663296") }, "memory", Fail, "96 MiB available of the 96 MiB that the limit of /sys/fs/cgroup/x allows", "ps ", "vm"},
		{"many processes", func(s *seen) { s.layout = bounded(t, "pids.max", "2345") }, "limits", OK, "pids 2345", "", ""},
		{"few processes", func(s *seen) { s.layout = bounded(t, "pids.max", "20") }, "limits", Fail, "20 more processes", "outside of x", "host, container, vm, vm-bare"},
		{"nice", func(s *seen) { s.facts.Inherited = map[string]string{"nice": "19", "stack size limit": "1"} }, "inherited", Warn, "nice 19, stack size limit 1", "without nice", ""},
		{"no cgroups", func(s *seen) { s.layout.V2 = "" }, "cgroups", Warn, "none mounted", "mount -t cgroup2", ""},
	}
	for _, test := range tests {
		s := well(t, "aws-metal")
		test.spoil(&s)
		i := slices.IndexFunc(block(judge(s), ours), func(c Check) bool { return c.Name == test.check })
		if i < 0 {
			t.Errorf("%s: no check %q", test.name, test.check)
			continue
		}
		c := block(judge(s), ours)[i]
		if c.Result != test.result || !strings.Contains(c.Detail, test.detail) || strings.Join(c.Blocks, ", ") != test.blocks {
			t.Errorf("%s: got %+v", test.name, c)
		}
		if !strings.Contains(c.Cure, test.cure) || test.cure == "" && c.Cure != "" {
			t.Errorf("%s: cure %q, want %q", test.name, c.Cure, test.cure)
		}
	}
}

// TestChecksHere tries all of it on this machine, and compares what is there
// before and after.
func TestChecksHere(t *testing.T) {
	before := traces(t)
	checks := Checks(context.Background(), Options{Cache: t.TempDir(), Environments: []bench.Environment{&benchtest.Fake{Label: "toy", Says: ours[2]}}})
	if after := traces(t); after != before {
		t.Errorf("left behind: before\n%s\nafter\n%s", before, after)
	}
	var text bytes.Buffer
	if err := Print(&text, checks, strings.Clone); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", &text)
	names := map[string]bool{}
	for _, c := range checks {
		if c.Name == "" || c.Detail == "" || c.Why == "" || names[c.Name] {
			t.Errorf("half a check, or twice: %+v", c)
		}
		names[c.Name] = true
		if c.Result == Fail && len(c.Blocks) == 0 || c.Result == OK && len(c.Blocks) > 0 {
			t.Errorf("what fails blocks, and what is well doesn't: %+v", c)
		}
	}
	if os.Geteuid() == 0 {
		return
	}
	if !strings.Contains(text.String(), "can't tell") {
		t.Error("without root something can't be told")
	}
}

// traces is where something left behind would be seen.
func traces(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	links, _ := filepath.Glob("/sys/class/net/*")
	files, _ := filepath.Glob(os.TempDir() + "/lab*")
	return string(mounts) + strings.Join(links, " ") + strings.Join(files, " ")
}

// TestChecksUnprivileged runs TestChecksHere as nobody.
func TestChecksUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: TestChecksHere was just this")
	}
	// Nobody may not look into go test's own folder.
	exe := filepath.Join(t.TempDir(), "test")
	text, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(exe, text, 0o755)
	}
	for dir := filepath.Dir(exe); err == nil && dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run", "^TestChecksHere$", "-test.v")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("not root: can't tell")) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestPrint(t *testing.T) {
	checks := []Check{
		{Name: "root", Result: OK, Detail: "root", Why: "mounts", Blocks: []string{}},
		{Name: "swap", Result: Warn, Detail: "7 MiB used", Why: "disks are slow", Cure: "swapoff -a", Blocks: []string{}},
		{Name: "tap", Result: Warn, Detail: "no such file", Why: "a card", Blocks: []string{"vm net=bridge"}},
		{Name: "QEMU", Result: Fail, Detail: "not installed", Why: "it is the hardware", Cure: "make setup", Blocks: []string{"vm", "vm-bare"}},
	}
	const want = `ok    root  root
warn  swap  7 MiB used
            why: disks are slow
            fix: swapoff -a
warn  tap   no such file
            why: a card
            rules out: vm net=bridge
fail  QEMU  not installed
            why: it is the hardware
            blocks: vm, vm-bare
            fix: make setup

1 ok, 2 to know about, 1 blocking
`
	var b bytes.Buffer
	if err := Print(&b, checks, strings.Clone); err != nil || b.String() != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, &b, want)
	}
	b.Reset()
	if err := JSON(&b, checks); err != nil {
		t.Fatal(err)
	}
	var back struct{ Checks []Check }
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || len(back.Checks) != 4 || back.Checks[3].Blocks[1] != "vm-bare" {
		t.Errorf("%v: %s", err, &b)
	}
	if !strings.Contains(b.String(), `"blocks": []`) {
		t.Error("nothing blocked is an empty list")
	}
}

func TestIsStatic(t *testing.T) {
	if image.IsStatic("testdata/debian.txt") || image.IsStatic("/nonsense") {
		t.Error("what is no program isn't static")
	}
}
