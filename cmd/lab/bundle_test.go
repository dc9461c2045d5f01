package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"lab/bench/image"
)

// programsBuilt is the folder of the two programs that make build has left, which go test
// doesn't build anew.
func programsBuilt(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"lab", "lab-full"} {
		if !image.IsStatic(filepath.Join(top, name)) {
			t.Skip("SKIPPED: there is no static " + name + "; fix: make build")
		}
		built, err := os.Stat(filepath.Join(top, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range sources(t) {
			st, err := os.Stat(filepath.Join(top, f.name))
			if err == nil && !strings.HasSuffix(f.name, "_test.go") && st.ModTime().After(built.ModTime()) {
				t.Fatalf("%s is newer than %s; fix: make build", f.name, name)
			}
		}
	}
	dir, err := filepath.Abs(top)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// bareRoot is a machine that has nothing: no Go, no library, no program but a shell.
func bareRoot(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	for _, name := range []string{"proc", "sys", "dev", "run", "old", "root", "tmp", "bin"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	busybox, err := image.Busybox("")
	if err != nil {
		t.Fatal(err)
	}
	shell, err := os.ReadFile(busybox)
	if err == nil {
		err = os.WriteFile(filepath.Join(root, "bin/busybox"), shell, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// inRoot runs a script in such a root, in a network namespace that has none.
func inRoot(t *testing.T, root, script string) string {
	t.Helper()
	run := exec.Command("unshare", "--mount", "--net", "sh", "-c", bare+"\n"+script+"'")
	run.Dir = root
	said, err := run.CombinedOutput()
	if err != nil {
		t.Errorf("%v", err)
	}
	return string(said)
}

// bare makes the folder that it is in the root.
const bare = `set -e
mount --bind . . && cd . && cd "$PWD"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs none run
pivot_root . old
busybox umount -l /old
exec busybox env -i PATH=/bin:/usr/bin HOME=/root busybox sh -c '`

// The bundle runs in a root without Go and without a network: the guests' row says
// which packages it lacks, and all that it writes is in its own folder.
func TestBundle(t *testing.T) {
	needs(t)
	nothingLeft(t)
	dir := programsBuilt(t)
	root := bareRoot(t)
	bundle := func(name string) []byte {
		file := filepath.Join(t.TempDir(), name)
		if out, err := exec.Command(filepath.Join(dir, "lab"), "bundle", "-o", file).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	data := bundle("a")
	if again := bundle("b"); string(again) != string(data) {
		t.Error("the same lab makes two bundles")
	}
	unpack := exec.Command("tar", "xz", "-C", root)
	unpack.Stdin = strings.NewReader(string(data))
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// LAB.md and README.md link to them.
	for _, name := range []string{"docs/ko/LAB.md", "docs/SECURITY.md", "container/plan.go", "vm/distro.go", "scenarios/apps/nginx.yaml", "reports/reference/startup/manifest.json"} {
		if found, _ := filepath.Glob(filepath.Join(root, "lab-*", name)); len(found) != 1 {
			t.Errorf("the bundle has no %s", name)
		}
	}
	said := inRoot(t, root, `cd /lab-* && ./lab run startup --runs 2 --warmup 0 --seed 1 --out /root/out; echo status $?
./lab doctor | busybox grep -A1 QEMU; busybox ls / /root`)
	for _, want := range []string{"time until ready", "container", "vm: not run: QEMU (qemu-system-x86_64) isn't installed; fix: apt-get install qemu-system-x86", "report: /root/out/report.md", "status 1"} {
		if !strings.Contains(strings.Join(strings.Fields(said), " "), want) {
			t.Errorf("it doesn't say %q:\n%s", want, said)
		}
	}
	// Nothing but the results, and the bundle's own folder.
	left, _ := filepath.Glob(filepath.Join(root, "*", "*"))
	for _, name := range left {
		if rel, _ := filepath.Rel(root, name); rel != "root/out" && rel != "bin/busybox" && !strings.HasPrefix(rel, "lab-") {
			t.Errorf("it left %s", rel)
		}
	}
}

// The package is one that dpkg installs into such a root, where it runs, and removes; it
// knows each of its files by their sums, and nothing of it stays after a purge.
func TestDeb(t *testing.T) {
	needs(t)
	nothingLeft(t)
	dir := programsBuilt(t)
	command := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("SKIPPED: no dpkg-deb; fix: a Debian, or apt-get install dpkg")
	}
	deb := filepath.Join(t.TempDir(), "lab.deb")
	command(filepath.Join(dir, "lab"), "bundle", "--deb", "-o", deb)
	again := deb + "2"
	command(filepath.Join(dir, "lab"), "bundle", "--deb", "-o", again)
	command("cmp", deb, again)
	for field, want := range map[string]string{"Package": "lab", "Architecture": runtime.GOARCH, "Recommends": "qemu-system-x86, libvirt-daemon, libvirt-daemon-driver-qemu"} {
		if got := strings.TrimSpace(command("dpkg-deb", "--field", deb, field)); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	list := command("dpkg-deb", "--contents", deb)
	for _, want := range []string{"./usr/bin/lab -> ../lib/lab/lab\n", "./usr/lib/lab/lab-full\n", "./usr/lib/lab/lab-cache -> ../../../var/cache/lab\n", "./var/cache/lab/busybox/bin/busybox\n", "./usr/share/doc/lab/copyright\n",
		"./usr/share/doc/lab/LICENSE -> copyright\n", "./usr/share/doc/lab/docs/ko/LAB.md\n", "./usr/share/doc/lab/vm/distro.go\n"} {
		if !strings.Contains(list, want) {
			t.Errorf("it has no %q:\n%.2000s", want, list)
		}
	}
	for line := range strings.Lines(list) {
		if !strings.Contains(line, " 0/0 ") {
			t.Errorf("not root's: %s", line)
		}
	}
	root := bareRoot(t)
	at := func(name string) string { return filepath.Join(root, name) }
	for _, name := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"} {
		if err := os.MkdirAll(at(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put(t, root, "var/lib/dpkg/status", nil)
	for _, name := range []string{"sh", "rm"} { // what a package's scripts may rely on
		if err := os.Symlink("busybox", at("bin/"+name)); err != nil {
			t.Fatal(err)
		}
	}
	command("dpkg", "--root="+root, "--force-bad-path", "-i", deb)
	if said := command("dpkg", "--root="+root, "--verify", "lab"); said != "" {
		t.Errorf("what was installed isn't what was packed:\n%s", said)
	}
	said := inRoot(t, root, "lab version; lab run startup --env host,container --runs 2 --warmup 0 --out /root/out; echo status $?")
	for _, want := range []string{"report: /root/out/report.md", "status 0\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("it doesn't say %q:\n%s", want, said)
		}
	}
	command("dpkg", "--root="+root, "--force-bad-path", "--purge", "lab")
	for _, name := range []string{"usr/bin/lab", "usr/lib/lab", "usr/share/doc/lab", "var/cache/lab"} {
		if _, err := os.Lstat(at(name)); err == nil {
			t.Errorf("%s stays after a purge", name)
		}
	}
}
