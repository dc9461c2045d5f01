package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lab/bench/image"
)

// programsBuilt is the folder of the two programs that make build has left.
func programsBuilt(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"lab", "lab-full"} {
		if !image.IsStatic(filepath.Join(top, name)) {
			t.Skip("SKIPPED: there is no static " + name + "; fix: make build")
		}
	}
	dir, err := filepath.Abs(top)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// A machine that has nothing: no Go, no network, no library, no program but a shell.
const bare = `set -e
mount --bind . . && cd . && cd "$PWD"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs none run
pivot_root . old
busybox umount -l /old
exec busybox env -i PATH=/bin HOME=/root busybox sh -c '
cd /lab-* && ./lab run startup --runs 2 --warmup 0 --seed 1 --out /root/out; echo status $?
./lab doctor | busybox grep -A1 QEMU; busybox ls / /root'`

// The bundle runs in a root without Go and without a network: the guests' row says
// which packages it lacks, and all that it writes is in its own folder.
func TestBundle(t *testing.T) {
	needs(t)
	nothingLeft(t)
	dir := programsBuilt(t)
	root := t.TempDir()
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
	run := exec.Command("unshare", "--mount", "--net", "sh", "-c", bare)
	run.Dir = root
	said, err := run.CombinedOutput()
	if err != nil {
		t.Errorf("%v", err)
	}
	for _, want := range []string{"time until ready", "container", "vm: not run: QEMU (qemu-system-x86_64) isn't installed; fix: apt-get install qemu-system-x86", "report: /root/out/report.md", "status 1"} {
		if !strings.Contains(strings.Join(strings.Fields(string(said)), " "), want) {
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
