package setup_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A machine is a stand-in for one that set-up meets: a root folder, a PATH of
// stand-in commands, and what these keep about it. Nothing real is touched.
type machine struct {
	t                     *testing.T
	root, bin, state, env string
	cache                 string
}

// newMachine has Debian, the network, a new enough Go, root, and nothing that the lab needs.
func newMachine(t *testing.T) *machine {
	t.Helper()
	dir := t.TempDir()
	m := &machine{t: t, root: dir + "/root", bin: dir + "/bin", state: dir + "/state", cache: dir + "/home/.cache/lab"}
	for _, d := range []string{m.root + "/etc", m.root + "/usr/sbin", m.root + "/boot", m.bin, m.state, dir + "/home"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tool := range strings.Fields("sh awk sed grep sort comm cut tr dirname basename mkdir mktemp mv rm cp ln touch cat tail wc du chown env") {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		m.must(os.Symlink(path, filepath.Join(m.bin, tool)))
	}
	fake, err := filepath.Abs("testdata/apt-get")
	m.must(err)
	for _, name := range []string{"apt-get", "apt-cache", "dpkg-query", "dpkg-deb"} {
		m.must(os.Symlink(fake, filepath.Join(m.bin, name)))
	}
	m.program("uname", "echo x86_64")
	m.program("id", "echo 0")
	m.program("ldd", `grep -q dynamic "$1"`)
	m.goVersion("1.100.0", "auto")
	m.write(m.root+"/etc/os-release", "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n", 0o644)
	m.write(m.state+"/program", "#!/bin/sh\n", 0o755)
	m.write(m.state+"/installed", "libc6\nlibold\n", 0o644)
	m.write(m.state+"/lists", "", 0o644)
	m.write(m.state+"/network", "", 0o644)
	m.write(m.root+"/etc/ssl/certs/ca-certificates.crt", "", 0o644)
	return m
}

func (m *machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) write(path, text string, mode os.FileMode) {
	m.t.Helper()
	m.must(os.MkdirAll(filepath.Dir(path), 0o755))
	m.must(os.WriteFile(path, []byte(text), mode))
}

func (m *machine) program(name, script string) {
	m.t.Helper()
	path := filepath.Join(m.bin, name)
	os.Remove(path) // it may be a link to the real one
	m.write(path, "#!/bin/sh\n"+script+"\n", 0o755)
}

func (m *machine) remove(paths ...string) {
	m.t.Helper()
	for _, p := range paths {
		m.must(os.RemoveAll(p))
	}
}

// goVersion plants a Go that, like the real one, fetches a newer one for the
// module's folder where that is allowed and the network is there.
func (m *machine) goVersion(version, toolchain string) {
	m.program("go", fmt.Sprintf(`case "$1$GOTOOLCHAIN" in
env*) echo %[2]s ;;
version) [ -e "$FAKE/network" ] ;;
version*) echo "go version go%[1]s linux/amd64" ;;
esac`, version, toolchain))
}

// setup runs setup.sh, and returns what it printed and whether it succeeded.
func (m *machine) setup(args ...string) (string, bool) {
	m.t.Helper()
	cmd := exec.Command("/bin/sh", append([]string{"./setup.sh"}, args...)...)
	cmd.Env = []string{"PATH=" + m.bin, "HOME=" + strings.TrimSuffix(m.cache, "/.cache/lab"),
		"LAB_TEST_ROOT=" + m.root, "FAKE=" + m.state}
	if m.env != "" {
		cmd.Env = append(cmd.Env, m.env)
	}
	out, err := cmd.CombinedOutput()
	m.t.Logf("setup.sh %s\n%s", strings.Join(args, " "), out)
	return string(out), err == nil
}

// lines are a file's words, without the mark that set-up makes in its own.
func (m *machine) lines(path string) []string {
	text, _ := os.ReadFile(path)
	return strings.Fields(strings.TrimPrefix(string(text), "# Made by lab, see setup.sh.\n"))
}

func contains(t *testing.T, out string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(out, p) {
			t.Errorf("output lacks %q", p)
		}
	}
}

func TestSetupWhole(t *testing.T) {
	m := newMachine(t)
	out, ok := m.setup()
	if !ok {
		t.Fatal("set-up failed")
	}
	contains(t, out, "installs 6 packages (12 MB to download", "qemu-system-x86 ", "the virtual machine's hardware",
		"also brings up to date, as these depend on it: libold", "unpacks linux-image-6.1.0-9-cloud-amd64", "make uninstall")

	want := strings.Fields("busybox-static e2fsprogs libfake libvirt-daemon libvirt-daemon-driver-qemu qemu-system-x86")
	if got := m.lines(m.cache + "/packages"); !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
	for _, path := range []string{"/kernel/boot/vmlinuz-6.1.0-9", "/kernel/lib/modules/6.1.0-9"} {
		if _, err := os.Stat(m.cache + path); err != nil {
			t.Error(err)
		}
	}

	// The second time, offline and without root, no package manager is asked.
	m.remove(m.state+"/calls", m.state+"/network", m.state+"/lists")
	m.program("id", "echo 1000")
	if out, ok = m.setup(); !ok {
		t.Error("the second set-up failed")
	}
	contains(t, out, "all is there")
	if calls := m.lines(m.state + "/calls"); len(calls) > 0 {
		t.Errorf("the second set-up called %q", calls)
	}

	// What was there before stays.
	m.program("id", "echo 0")
	if _, ok = m.setup("--uninstall"); !ok {
		t.Error("uninstall failed")
	}
	if got, want := m.lines(m.state+"/installed"), []string{"libc6", "libold"}; !slices.Equal(got, want) {
		t.Errorf("after uninstall %q is installed, want %q", got, want)
	}
	if _, err := os.Stat(m.cache); err == nil {
		t.Error("uninstall left the cache")
	}
	if out, ok = m.setup("--uninstall"); !ok || !strings.Contains(out, "nothing to undo") {
		t.Error("a second uninstall should have nothing to do")
	}
}

// What the long tests need is installed only for them, and is as much ours to remove.
func TestSetupLong(t *testing.T) {
	m := newMachine(t)
	for _, arg := range []string{"", "--tests", "--long"} {
		if out, ok := m.setup(strings.Fields(arg)...); !ok {
			t.Fatalf("set-up failed: %s", out)
		}
		got := m.lines(m.cache + "/packages")
		if slices.Contains(got, "mmdebstrap") != (arg == "--long") || slices.Contains(got, "bubblewrap") != (arg != "") {
			t.Errorf("setup %s recorded %q", arg, got)
		}
	}
	m.write(m.cache+"/stock/machine", "", 0o644)
	m.write(m.cache+"/stock/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# Made by lab, see setup.sh.\n", 0o644)
	m.remove(m.cache + "/CACHEDIR.TAG") // the folder was the user's
	if _, ok := m.setup("--uninstall"); !ok {
		t.Error("uninstall failed")
	}
	if got := m.lines(m.state + "/installed"); slices.Contains(got, "mmdebstrap") {
		t.Errorf("after uninstall %q is installed", got)
	}
	if _, err := os.Stat(m.cache + "/stock"); err == nil {
		t.Error("uninstall left the stock machine")
	}
}

// The full kernel is fetched only when it is asked for, beside the small one.
func TestSetupFullKernel(t *testing.T) {
	m := newMachine(t)
	out, ok := m.setup("--full-kernel")
	if !ok {
		t.Fatal("set-up failed")
	}
	contains(t, out, "unpacks linux-image-6.1.0-9-amd64 into "+m.cache+"/kernel-full", "rm -r "+m.cache+"/kernel-full")
	if _, err := os.Stat(m.cache + "/kernel-full/boot/vmlinuz-6.1.0-9"); err != nil {
		t.Error(err)
	}
	if got := m.lines(m.cache + "/packages"); len(got) > 0 {
		t.Errorf("it installed %q", got)
	}
	m.remove(m.state+"/calls", m.state+"/network")
	if out, ok = m.setup("--full-kernel"); !ok || !strings.Contains(out, "is there") || len(m.lines(m.state+"/calls")) > 0 {
		t.Errorf("the second time: %q", out)
	}
	m.write(m.root+"/etc/os-release", "ID=ubuntu\n", 0o644)
	m.remove(m.cache)
	m.write(m.state+"/network", "", 0o644)
	out, ok = m.setup("--full-kernel")
	contains(t, out, "unpacks linux-image-6.8.0-9-generic linux-modules-6.8.0-9-generic")
	if !ok {
		t.Error("set-up failed on Ubuntu")
	}
}

// TestSetupMachines tells what set-up says on machines that lack something.
func TestSetupMachines(t *testing.T) {
	tests := []struct {
		name string
		make func(*machine)
		fail bool
		say  []string
		lack string // must not be said
	}{
		{name: "no lists yet", make: func(m *machine) { m.remove(m.state + "/lists") }, say: []string{"refreshing the package lists", "done"}},
		{name: "no network", make: func(m *machine) { m.remove(m.state + "/network") }, fail: true,
			say: []string{"could not fetch busybox-static", "fix: connect to the network"}},
		{name: "no network, no lists", make: func(m *machine) { m.remove(m.state+"/network", m.state+"/lists") }, fail: true,
			say: []string{"could not fetch busybox-static", "fix: connect to the network"}},
		{name: "no network, own kernel", make: func(m *machine) {
			m.remove(m.state + "/network")
			m.write(m.root+"/boot/vmlinuz-6.12", "", 0o600)
		}, fail: true, say: []string{"/boot/vmlinuz-6.12 make run"}},
		{name: "no root, no sudo", make: func(m *machine) { m.program("id", "echo 1000") }, fail: true,
			say: []string{"12 MB", "needs root, and there is no sudo", "fix: as root: cd "}},
		{name: "sudo wants a password", make: func(m *machine) {
			m.program("id", "echo 1000")
			m.program("sudo", "exit 1")
		}, fail: true, say: []string{"needs root, and sudo"}},
		{name: "sudo", make: func(m *machine) {
			m.program("id", "echo 1000")
			m.program("sudo", `echo "sudo $*" >>"$FAKE/calls"; shift; "$@"`)
		}, say: []string{"done"}},
		{name: "something would be removed", make: func(m *machine) { m.write(m.state+"/conflict", "", 0o644) }, fail: true,
			say: []string{"would remove precious"}},
		{name: "dynamic busybox", make: func(m *machine) {
			m.write(m.state+"/installed", "busybox\n", 0o644)
			m.write(m.root+"/usr/sbin/busybox", "dynamic", 0o755)
		}, say: []string{"unpacks busybox-static into", "installs 5 packages"}},
		{name: "own programs", make: func(m *machine) {
			m.program("qemu-system-x86_64", "")
			m.program("mkfs.ext4", "")
		}, say: []string{"installs 4 packages"}, lack: "qemu-system-x86 "},
		{name: "own guest kernel", make: func(m *machine) { m.env = "LAB_KERNEL=" + m.root + "/etc/os-release" }, lack: "unpacks"},
		{name: "own guest kernel, misspelt", make: func(m *machine) { m.env = "LAB_KERNEL=/nonsense" }, fail: true, say: []string{"LAB_KERNEL names /nonsense"}},
		{name: "Ubuntu", make: func(m *machine) { m.write(m.root+"/etc/os-release", "ID=ubuntu\n", 0o644) },
			say: []string{"unpacks linux-image-6.8.0-9-generic linux-modules-6.8.0-9-generic"}},
		{name: "arm64", make: func(m *machine) { m.program("uname", "echo aarch64") }, say: []string{"busybox-static"}, lack: "qemu"},
		{name: "neither apt nor dnf", make: func(m *machine) { m.remove(m.bin + "/apt-get") }, fail: true,
			say: []string{"Debian GNU/Linux 12 has neither apt nor dnf", "fix: "}},
		{name: "no Go", make: func(m *machine) { m.remove(m.bin + "/go") }, fail: true, say: []string{"no Go found, and the lab needs 1.2", "go.dev/dl"}},
		{name: "Go of Debian 12", make: func(m *machine) { m.goVersion("1.19.8", "") }, fail: true, say: []string{"Go 1.19.8 found", "the lab needs 1.2", "fix: "}},
		{name: "Go of Ubuntu 24.04", make: func(m *machine) { m.goVersion("1.22.2", "auto") }, say: []string{"Go 1.22.2 fetches Go 1.2", "done"}},
		{name: "Go 1.22, offline", make: func(m *machine) { m.goVersion("1.22.2", "auto"); m.remove(m.state + "/network") }, fail: true,
			say: []string{"could not fetch it", "fix: connect to the network"}},
		{name: "Go 1.22, forbidden to fetch", make: func(m *machine) { m.goVersion("1.22.2", "local") }, fail: true, say: []string{"go env -w GOTOOLCHAIN=auto"}},
		{name: "newer Go", make: func(m *machine) { m.goVersion("1.100", "local") }, say: []string{"done"}},
		{name: "release candidate", make: func(m *machine) { m.goVersion("1.99rc1", "local") }, say: []string{"done"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			test.make(m)
			out, ok := m.setup()
			if ok == test.fail {
				t.Errorf("success is %v", ok)
			}
			contains(t, out, test.say...)
			if test.lack != "" && strings.Contains(out, test.lack) {
				t.Errorf("output has %q", test.lack)
			}
			if test.fail && strings.Count(out, "fix:") != 1 {
				t.Error("an error names one fix")
			}
			// Whatever went wrong, nothing half-done lies about.
			if left, _ := filepath.Glob(m.cache + "/.setup-*"); len(left) > 0 {
				t.Errorf("left %q", left)
			}
		})
	}
}

// TestSetupKeeps: a package that something of the user's needs by now stays.
func TestSetupKeeps(t *testing.T) {
	m := newMachine(t)
	m.setup()
	m.write(m.state+"/installed", strings.Join(append(m.lines(m.state+"/installed"), "virt-tool"), "\n")+"\n", 0o644)
	out, ok := m.setup("--uninstall")
	if !ok {
		t.Error("uninstall failed")
	}
	contains(t, out, "keeps what other packages need by now: libvirt-daemon")
	if got, want := m.lines(m.state+"/installed"), []string{"libc6", "libold", "libvirt-daemon", "virt-tool"}; !slices.Equal(got, want) {
		t.Errorf("after uninstall %q is installed, want %q", got, want)
	}
}

// TestSetupForeignFolder: set-up takes nothing that it didn't make for its own,
// and follows no link, whatever lies in the folder that is to be its cache.
func TestSetupForeignFolder(t *testing.T) {
	const tag = "Signature: 8a477f597d28d172789f06886806bc55\n"
	tests := []struct {
		name  string
		fail  bool              // set-up says what is in its way
		there map[string]string // files; -> before a link's target
	}{
		{"a thesis", false, map[string]string{"thesis": "precious"}},
		{"another's cache", false, map[string]string{"CACHEDIR.TAG": tag + "# This file is a cache directory tag created by cargo.\n", "debug/x": "precious"}},
		{"a linked tag", false, map[string]string{"CACHEDIR.TAG": "->../tag"}},
		{"a log", false, map[string]string{"setup.log": "precious"}},
		{"a linked log", false, map[string]string{"setup.log": "->../target"}},
		{"a dangling log", false, map[string]string{"setup.log": "->../nothing"}},
		{"a list of packages", true, map[string]string{"packages": "libc6\n"}},
		{"a linked list", true, map[string]string{"packages": "->../target"}},
		{"kernel sources", true, map[string]string{"kernel/Makefile": "precious"}},
		{"a linked kernel", true, map[string]string{"kernel": "->../dir"}},
	}
	for _, test := range tests {
		for _, which := range []string{"LAB_CACHE=", "XDG_CACHE_HOME="} {
			t.Run(test.name+" "+which, func(t *testing.T) {
				m := newMachine(t)
				above := filepath.Dir(m.root) + "/above"
				dir := above + "/lab"
				if m.env = which + above; which == "LAB_CACHE=" {
					m.env = which + dir + "/" // a slash behind a link would follow it
				}
				m.write(above+"/target", "libc6\n", 0o644)
				m.write(above+"/tag", tag+"# Made by lab, see setup.sh.\n", 0o644)
				m.write(above+"/dir/precious", "", 0o644)
				for name, text := range test.there {
					if to, ok := strings.CutPrefix(text, "->"); ok {
						m.must(os.MkdirAll(dir, 0o755))
						m.must(os.Symlink(to, filepath.Join(dir, name)))
					} else {
						m.write(filepath.Join(dir, name), text, 0o644)
					}
				}
				before := m.tree(above)
				if out, ok := m.setup(); ok == test.fail || test.fail && !strings.Contains(out, "LAB_CACHE") {
					t.Errorf("set-up's success is %v", ok)
				}
				if _, ok := m.setup("--uninstall"); !ok {
					t.Error("uninstall failed")
				}
				if after := m.tree(above); after != before {
					t.Errorf("left is\n%swant\n%s", after, before)
				}
				if !slices.Contains(m.lines(m.state+"/installed"), "libc6") {
					t.Error("it removed libc6, which the user's own file names")
				}
			})
		}
	}
}

// TestSetupLinkedInOwnCache: in a cache that is set-up's own, too, a planted link
// is replaced or left alone.
func TestSetupLinkedInOwnCache(t *testing.T) {
	for _, name := range []string{"setup.log", "packages"} {
		m := newMachine(t)
		m.setup()
		target := filepath.Dir(m.root) + "/target"
		m.write(target, "libc6\n", 0o644)
		m.remove(m.cache+"/"+name, m.cache+"/kernel", m.root+"/usr/sbin/mkfs.ext4")
		m.must(os.Symlink(target, m.cache+"/"+name))
		m.setup()
		m.setup("--uninstall")
		if got, _ := os.ReadFile(target); string(got) != "libc6\n" {
			t.Errorf("%s: what a link led to was overwritten: %q", name, got)
		}
		if !slices.Contains(m.lines(m.state+"/installed"), "libc6") {
			t.Errorf("%s: it removed libc6", name)
		}
	}
}

// tree is all that is in a folder, as text.
func (m *machine) tree(dir string) string {
	m.t.Helper()
	var b strings.Builder
	m.must(filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		text, _ := os.Readlink(path)
		if d.Type().IsRegular() {
			data, _ := os.ReadFile(path)
			text = string(data)
		}
		_, err = fmt.Fprintf(&b, "%s %v %q\n", strings.TrimPrefix(path, dir), d.Type(), text)
		return err
	}))
	return b.String()
}

// A maker of roots mounts folders of the machine's in its tree. When it is ended in the middle
// neither they nor what is in them are touched, and nothing stays mounted.
func TestSetupMounts(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: needs root; fix: sudo")
	}
	m := newMachine(t)
	for _, tool := range []string{"mount", "unshare", "kill"} {
		path, err := exec.LookPath(tool)
		m.must(err)
		m.must(os.Symlink(path, filepath.Join(m.bin, tool)))
	}
	m.write(m.root+"/etc/os-release", "ID=debian\nVERSION_CODENAME=bookworm\n", 0o644)
	m.write(m.state+"/shm/mine", "", 0o644)
	for _, name := range []string{"mkfs.ext4", "apt-config", "dpkg", "curl"} {
		m.program(name, "true")
	}
	m.program("mmdebstrap", `for root; do case $root in */tree/root) break ;; esac; done
mkdir -p "$root/dev/shm"
mount --bind "$FAKE/shm" "$root/dev/shm"
echo mounted
exit 1`)
	out, ok := m.setup("--distro")
	if ok {
		t.Error("it made a root")
	}
	contains(t, out, "could not make the distribution guest: mounted")
	mounts, err := os.ReadFile("/proc/mounts")
	m.must(err)
	for line := range strings.Lines(string(mounts)) {
		if place := strings.Fields(line)[1]; strings.HasPrefix(place, m.cache) {
			t.Errorf("mounted is %s", place)
			m.must(syscall.Unmount(place, syscall.MNT_DETACH))
		}
	}
	if _, err := os.Stat(m.state + "/shm/mine"); err != nil {
		t.Error("a file of the machine's is gone:", err)
	}
	if left, _ := filepath.Glob(m.cache + "/.setup-*"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func TestSetupPrint(t *testing.T) {
	tests := []struct {
		manager string
		want    []string // package, in order
		note    string
	}{
		{"apt", []string{"ca-certificates", "busybox-static", "e2fsprogs", "qemu-system-x86", "libvirt-daemon", "libvirt-daemon-driver-qemu",
			"linux-image-cloud-amd64", "linux-image-virtual"}, "guest kernel on ubuntu"},
		{"dnf", []string{"ca-certificates", "busybox", "e2fsprogs", "cpio", "qemu-system-x86-core", "libvirt-daemon", "libvirt-daemon-driver-qemu",
			"kernel-core kernel-modules-core"}, "# untried here"},
	}
	for _, test := range tests {
		out, ok := newMachine(t).setup("--print", test.manager)
		if !ok {
			t.Errorf("--print %s failed", test.manager)
		}
		contains(t, out, test.note)
		var got []string
		for line := range strings.Lines(out) {
			if name, why, ok := strings.Cut(line, ": "); ok {
				_, name, _ = strings.Cut(name, " ")
				got = append(got, name)
				if len(why) < 10 {
					t.Errorf("%s: no reason for %s", test.manager, name)
				}
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("--print %s: got %q, want %q", test.manager, got, test.want)
		}
		if slices.Contains(got, "libvirt-daemon-system") {
			t.Errorf("%s: libvirt-daemon-system starts services", test.manager)
		}
	}
}

// TestGotest: a skip is told with its reason, a failure with all its output, and
// the exit status is go's.
func TestGotest(t *testing.T) {
	const passes = `=== RUN   TestA
    a_test.go:5: noise
--- PASS: TestA (0.00s)
=== RUN   TestB
    a_test.go:9: no frob here; fix: apt-get install frob
--- SKIP: TestB (0.00s)
PASS
ok  	lab/a	0.004s
`
	const fails = `# lab/c [lab/c.test]
c/c_test.go:3:28: undefined: x
%s=== RUN   TestC
    b_test.go:3: bad
--- FAIL: TestC (0.00s)
FAIL
FAIL	lab/b	0.002s
FAIL	lab/c [build failed]
FAIL
`
	tests := []struct {
		in     string
		status int
		want   string
	}{
		{passes, 0, "    skipped TestB: no frob here; fix: apt-get install frob\nok  \tlab/a\t0.004s\ntests: 1 passed, 0 failed, 1 skipped\n"},
		{fmt.Sprintf(fails, "=== RUN   TestA\n=== RUN   TestA/sub\n    a_test.go:5: noise\n--- PASS: TestA (0.00s)\n    --- PASS: TestA/sub (0.00s)\n"), 1,
			fmt.Sprintf(fails, "") + "tests: 2 passed, 1 failed, 0 skipped\nfailed: lab/b\n    TestC:     b_test.go:3: bad\n    TestC: --- FAIL: TestC (0.00s)\nfailed: lab/c\n"},
		{"=== RUN   TestA/sub\n--- FAIL: TestA (0.00s)\n    --- PASS: TestA/sub (0.00s)\nFAIL\tlab/b\t2s\n", 1,
			"--- FAIL: TestA (0.00s)\nFAIL\tlab/b\t2s\ntests: 1 passed, 1 failed, 0 skipped\nfailed: lab/b\n"},
		{"=== RUN   TestA\n--- PASS: TestA (0.00s)\n=== RUN   TestB\npanic: test timed out\n\ngoroutine 1:\nFAIL\tlab/b\t2s\n", 1,
			"=== RUN   TestB\npanic: test timed out\n\ngoroutine 1:\nFAIL\tlab/b\t2s\ntests: 1 passed, 0 failed, 0 skipped\nfailed: lab/b\n    TestB: panic: test timed out\n    TestB: \n    TestB: goroutine 1:\n"},
		{"BenchmarkX\nBenchmarkX-2   \t100\t 3.0 frobs\nPASS\nok  \tlab/a\t1s\n", 0, "BenchmarkX-2   \t100\t 3.0 frobs\nok  \tlab/a\t1s\n"},
		{"", 2, ""},
	}
	for _, test := range tests {
		m := newMachine(t)
		m.write(m.state+"/said", test.in, 0o644)
		m.program("go", fmt.Sprintf("cat %s/said; exit %d", m.state, test.status))
		cmd := exec.Command("/bin/sh", "../../.ci/gotest", m.bin+"/go", "./...")
		cmd.Env = []string{"PATH=" + m.bin}
		out, _ := cmd.Output()
		if string(out) != test.want || cmd.ProcessState.ExitCode() != test.status {
			t.Errorf("status %d, want %d; output\n%swant\n%s", cmd.ProcessState.ExitCode(), test.status, out, test.want)
		}
	}
}
